/* Group commit, a full disk, and requests from several threads at once. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "daemon/store/engine/store_internal.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/suite.h"

#define WHOLE                                                                                   \
	"{\"name\": \"X\", \"prompt_template\": {\"content\": {\"name\": \"T\", \"messages\":"   \
	" [{\"role\": \"user\", \"content\": \"{{n}}\"}]}}, \"collection\": {\"content\":"       \
	" {\"name\": \"C\", \"variables\": [{\"n\": 1}, {\"n\": 2}, {\"n\": 3}]}}}"

static struct fixture f;
static size_t outstanding;

static void on_done(struct store_request *request)
{
	if (--outstanding == 0)
		loop_stop(request->userdata);
}

static void later(struct store_request *request)
{
	store_request_init(request, f.loop, on_done, f.loop);
	outstanding++;
}

static int64_t commits(void)
{
	struct status_get op = { 0 };

	CALL_OK(&f, store_status_get, &op);
	return op.ret_storage->commits;
}

/* A batch is as long as it takes little time, which nothing does under a sanitizer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BATCHES 0
#else
#define BATCHES 1
#endif

/* One of the batch breaks a rule: its neighbours commit, and all share a few syncs. */
START_TEST(failures_stand_alone)
{
	enum { N = 40 };
	struct method_run ops[N] = { 0 };
	struct hold hold;
	int64_t before;

	fixture_open(&f);
	before = commits();
	hold_begin(&hold, f.store->writer.loop); // however slowly they are posted
	for (int i = 0; i < N; i++) {
		ops[i].scope = own;
		method_of(&f, &ops[i], METHOD_CREATE_LLM_CONFIG,
					 "{\"llm_config\": {\"name\": \"c%d\", \"provider\": \"simulated\"}}",
					 i % 3 == 2 ? 0 : i);
		later(&ops[i].request);
	}
	for (int i = 0; i < N; i++)
		store_method_run(f.store, &ops[i]);
	/* Where several users have turns, a batch is as short as a commit. */
	f.store->writer.last_uid = -1;
	f.store->writer.shared_usec = 0;
	hold_end(&hold);
	ck_assert_int_eq(loop_run(f.loop), 0);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(ops[i].request.result, i % 3 == 2 ? ELLU_E_CONFLICT : 0);
		store_request_done(&ops[i].request);
	}
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM llm_configs"), 1 + N - N / 3);
	ck_assert(!BATCHES || commits() - before < N / 2);
	fixture_close(&f);
}
END_TEST

START_TEST(recordings_wait_for_company)
{
	enum { N = 64 };
	struct task_log *ops = calloc(N, sizeof(*ops));
	const char *const line = "line";
	struct hold hold;
	int64_t before;

	fixture_open(&f);
	submit(&f, WHOLE);
	before = commits();
	hold_begin(&hold, f.store->writer.loop); // however slowly they are posted
	for (int i = 0; i < N; i++) {
		ops[i].task_id = 1;
		ops[i].lines = &line;
		ops[i].n_lines = 1;
		later(&ops[i].request);
	}
	for (int i = 0; i < N; i++)
		store_task_log(f.store, &ops[i]);
	hold_end(&hold);
	ck_assert_int_eq(loop_run(f.loop), 0);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(ops[i].ret_first_sequence, i + 2);
		store_request_done(&ops[i].request);
	}
	ck_assert_int_le(commits() - before, 3);
	free(ops);
	fixture_close(&f);
}
END_TEST

/* The writer's own limit of pages stands for a disk without room. */
static void limit_pages(struct message *message);
static struct message limit_message = { .deliver = limit_pages };
static int64_t page_limit;

static void limit_pages(struct message *message)
{
	char sql[64];

	(void)message;
	snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %lld", (long long)page_limit);
	sqlite3_exec(f.store->writer.db.handle, sql, NULL, NULL, NULL);
}

static void set_page_limit(int64_t limit)
{
	struct status_get op = { 0 };

	page_limit = limit;
	loop_post(f.store->writer.loop, &limit_message);
	CALL_OK(&f, store_status_get, &op);
}

START_TEST(a_full_disk_is_waited_out)
{
	struct method_run refused = { .scope = own };
	struct response_record record_op = { 0 };
	const struct run_spec *spec;
	char *text = malloc(200001);

	fixture_open(&f);
	submit(&f, WHOLE);
	spec = load_run(&f, 1);
	set_page_limit(1);
	memset(text, 'x', 200000);
	text[200000] = '\0';
	record_op = (struct response_record){
		.run_id = spec->run_id,
		.owner_uid = spec->owner_uid,
		.project_id = spec->project_id,
		.row_id = 1,
		.epoch = 1,
		.text = text,
		.attempts = 1,
	};
	later(&record_op.request);
	store_response_record(f.store, &record_op);
	method_of(&f, &refused, METHOD_CREATE_COLLECTION,
		  "{\"collection\": {\"name\": \"D\", \"description\": \"%.9000s\"}}", text);
	fixture_await_trouble(&f, STORE_FULL);
	ck_assert_int_eq(CALL(&f, store_method_run, &refused), ELLU_E_STORAGE_FULL);
	ck_assert_int_eq(f.trouble_reports, 1);
	ck_assert_uint_eq(outstanding, 1);
	/* Room again: what waited is recorded within a second or so. */
	set_page_limit(1000000);
	ck_assert_int_eq(loop_run(f.loop), 0);
	ck_assert_int_eq(record_op.request.result, 0);
	ck_assert_int_eq(record_op.ret_response_id, 1);
	store_request_done(&record_op.request);
	fixture_await_trouble(&f, STORE_FINE);
	ck_assert_int_eq(f.trouble_reports, 2);
	CALL_OK(&f, store_method_run, &refused);
	free(text);
	fixture_close(&f);
}
END_TEST

START_TEST(a_damaged_file_is_only_read)
{
	struct method_run create = { .scope = own };
	struct task_change change = { .task_id = 1, .status = TASK_REVOKED };
	struct task_get get = { .scope = own, .task_id = 1 };
	struct db broken = { .trouble_text = "planted" };

	fixture_open(&f);
	submit(&f, WHOLE);
	store_set_damaged(f.store, &broken);
	method_of(&f, &create, METHOD_CREATE_COLLECTION,
		  "{\"collection\": {\"name\": \"D\"}}");
	ck_assert_int_eq(CALL(&f, store_method_run, &create), ELLU_E_STORAGE_DAMAGED);
	ck_assert_ptr_nonnull(strstr(create.request.fault.field, "elluminate.db"));
	ck_assert_int_eq(CALL(&f, store_task_change, &change), ELLU_E_STORAGE_DAMAGED);
	CALL_OK(&f, store_task_get, &get);
	fixture_ensure(&f);
	fixture_close(&f);
}
END_TEST

/* A small disk over the folder, for this process alone; false where this may not be had. */
static bool mount_disk(const char *options)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", f.dir, "tmpfs", 0, options) == 0;
}

START_TEST(a_small_disk)
{
	struct fault fault;
	struct task_submit op = { 0 };

	fixture_open(&f);
	fixture_stop(&f);
	if (!mount_disk("mode=0700,size=8m")) {
		fixture_close(&f);
		return;
	}
	ck_assert_msg(fixture_try_start(&f, false, &fault) == 0, "%s", fault.message);
	fixture_ensure(&f);
	/* Not full yet, but too little to begin something new. */
	ck_assert_int_eq(submit_op(&f, &op, WHOLE), ELLU_E_STORAGE_FULL);
	fixture_stop(&f);
	ck_assert_int_eq(umount(f.dir), 0);
	fixture_close(&f);
}
END_TEST

START_TEST(a_real_disk_that_fills)
{
	struct method_run create = { .scope = own };
	struct fault fault;
	struct method_run add = { .scope = own };
	char *text = malloc(100001);
	int r;

	fixture_open(&f);
	fixture_stop(&f);
	if (!mount_disk("mode=0700,size=4m")) {
		free(text);
		fixture_close(&f);
		return;
	}
	memset(text, 'x', 100000);
	text[100000] = '\0';
	ck_assert_msg(fixture_try_start(&f, false, &fault) == 0, "%s", fault.message);
	fixture_ensure(&f);
	method_of(&f, &create, METHOD_CREATE_COLLECTION,
		  "{\"collection\": {\"name\": \"C\"}}");
	CALL_OK(&f, store_method_run, &create);
	method_of(&f, &add, METHOD_ADD_TEMPLATE_VARIABLES,
			       "{\"collection\": {\"name\": \"C\"}, \"variables\": [{\"a\": \"%s\"}]}", text);
	do {
		r = CALL(&f, store_method_run, &add);
	} while (r == 0);
	ck_assert_int_eq(r, ELLU_E_STORAGE_FULL);
	fixture_stop(&f);
	/* Nothing is lost or broken by it. */
	ck_assert_int_eq(look_int(&f, "SELECT (SELECT count(*) FROM template_variables) ="
				      " (SELECT variables_count FROM collections)"), 1);
	ck_assert_int_eq(look_int(&f, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
	ck_assert_int_eq(umount(f.dir), 0);
	free(text);
	fixture_close(&f);
}
END_TEST

/* ---- Several threads ---- */

enum { N_THREADS = 4, N_EACH = 200 };

struct client {
	struct loop *loop;
	struct response_record record;
	struct task_get get;
	struct message start;
	int left;
	int failed;
};

static void next(struct client *client);

static void on_recorded(struct store_request *request)
{
	struct client *client = request->userdata;

	client->failed += request->result != 0;
	store_request_done(request);
	next(client);
}

static void on_got(struct store_request *request)
{
	struct client *client = request->userdata;

	client->failed += request->result != 0;
	store_request_done(request);
	store_request_init(&client->record.request, client->loop, on_recorded, client);
	client->record.epoch = client->left + 1;
	store_response_record(f.store, &client->record);
}

static void next(struct client *client)
{
	if (client->left-- == 0) {
		loop_stop(client->loop);
		return;
	}
	store_request_init(&client->get.request, client->loop, on_got, client);
	store_task_get(f.store, &client->get);
}

static void on_start(struct message *message)
{
	next((struct client *)((char *)message - offsetof(struct client, start)));
}

START_TEST(many_loops)
{
	struct client *clients = calloc(N_THREADS, sizeof(*clients));
	const struct run_spec *spec;

	fixture_open(&f);
	submit(&f, "{\"name\": \"X\", \"n_epochs\": 200, \"prompt_template\": {\"content\": {\"name\":"
		   " \"T\", \"messages\": [{\"role\": \"user\", \"content\": \"{{n}}\"}]}},"
		   " \"collection\": {\"content\": {\"name\": \"C\", \"variables\":"
		   " [{\"n\": 1}, {\"n\": 2}, {\"n\": 3}, {\"n\": 4}]}}}");
	spec = load_run(&f, 1);
	for (int i = 0; i < N_THREADS; i++) {
		struct client *client = &clients[i];

		client->left = N_EACH;
		client->get.scope = own;
		client->get.task_id = 1;
		client->record.run_id = spec->run_id;
		client->record.owner_uid = spec->owner_uid;
		client->record.project_id = spec->project_id;
		client->record.row_id = i + 1;
		client->record.text = "text";
		client->record.complete = true;
		client->start.deliver = on_start;
		ck_assert_int_eq(loop_new("client", &client->loop), 0);
		loop_post(client->loop, &client->start);
	}
	for (int i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(loop_start(clients[i].loop), 0);
	for (int i = 0; i < N_THREADS; i++) {
		loop_join(clients[i].loop);
		ck_assert_int_eq(clients[i].failed, 0);
		loop_free(clients[i].loop);
	}
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM responses"), N_THREADS * N_EACH);
	ck_assert_int_eq(look_int(&f, "SELECT sum(rated) FROM run_epochs"), N_THREADS * N_EACH);
	free(clients);
	fixture_close(&f);
}
END_TEST

static size_t left_behind;

static void on_late_done(struct store_request *request)
{
	left_behind = outstanding;
	on_done(request);
}

/* Many requests of one user, then one of another's: that one does not wait for them all. */
START_TEST(users_have_turns)
{
	enum { N = 3000 };
	struct method_run *ops = calloc(N + 1, sizeof(*ops));

	fixture_open(&f);
	for (int i = 0; i <= N; i++) {
		ops[i].scope = own;
		method_of(&f, &ops[i], METHOD_CREATE_LLM_CONFIG,
					 "{\"llm_config\": {\"name\": \"c%d\", \"provider\": \"simulated\"}}",
					 i);
		later(&ops[i].request);
		ops[i].request.uid = i < N ? 1000 : 1001;
	}
	ops[N].request.done = on_late_done;
	for (int i = 0; i <= N; i++)
		store_method_run(f.store, &ops[i]);
	ck_assert_int_eq(loop_run(f.loop), 0);
	ck_assert_uint_gt(left_behind, N / 10);
	for (int i = 0; i <= N; i++) {
		ck_assert_int_eq(ops[i].request.result, 0);
		store_request_done(&ops[i].request);
	}
	free(ops);
	fixture_close(&f);
}
END_TEST

int main(void)
{
	return RUN_TESTS(failures_stand_alone, recordings_wait_for_company, a_full_disk_is_waited_out,
			 a_damaged_file_is_only_read, a_small_disk, a_real_disk_that_fills, many_loops,
			 users_have_turns);
}
