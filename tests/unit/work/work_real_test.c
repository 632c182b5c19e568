/*
 * The worker pool with the daemon's own store and backend, in one process: an experiment on the
 * built-in provider from its submission to its results, at one go and with stops in between.
 */
#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/backend/backend.h"
#include "daemon/base/clock.h"
#include "daemon/store/runs.h"
#include "daemon/store/tasks.h"
#include "daemon/work/work.h"
#include "proto/generated/interface.h"
#include "proto/record/record.h"
#include "tests/unit/suite.h"

#define ROWS 300
#define OWNER 1000
#define CONNECTIONS 32

static char state_dir[] = "/tmp/elluminate-work-XXXXXX";
static struct loop *home, *backend_loop;
static struct store *store;
static struct backend *backend;
static struct work *work;
static struct work_run *run;
static int64_t task_id, experiment_id;

static struct {
	bool finished;
	enum task_status status;
	char message[1024];
	int64_t responses, failed_responses, ratings, failed_ratings;
	int64_t generated;
	int64_t stop_at; // responses; 0: never
	bool abort;
	int n_lines;
} seen;

/* ---- The daemon around it ---- */

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
	(void)info;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void on_request_done(struct store_request *request)
{
	(void)request;
	loop_stop(home);
}

static void await(struct store_request *request)
{
	ck_assert_int_eq(loop_run(home), 0);
	ck_assert_msg(request->result >= 0, "%s", request->fault.message);
}

static void on_trouble(void *userdata, enum store_trouble trouble)
{
	(void)userdata;
	ck_assert_int_eq(trouble, STORE_FINE);
}

static void on_progress(void *userdata, int64_t id, const struct ellu_progress *progress)
{
	(void)userdata;
	ck_assert_int_eq(id, task_id);
	ck_assert_int_eq(progress->total_responses, ROWS);
	ck_assert_int_ge(progress->responses_generated, seen.generated);
	seen.generated = progress->responses_generated;
	if (seen.stop_at == 0 || seen.generated < seen.stop_at)
		return;
	seen.stop_at = 0;
	if (seen.abort) {
		work_abort(run);
	} else {
		work_drain(run);
		ck_assert_int_ge(backend_drain(backend), 0);
	}
}

static void on_held(void *userdata, int64_t id, const char *hold)
{
	(void)userdata;
	(void)id;
	(void)hold;
}

static void on_log(void *userdata, int64_t id, const char *line)
{
	(void)userdata;
	(void)id;
	(void)line;
	seen.n_lines++;
}

static void on_finished(void *userdata, int64_t id, const struct work_end *end)
{
	const struct ellu_experiment_results *results = end->result ? end->result->results : NULL;

	(void)userdata;
	ck_assert_int_eq(id, task_id);
	seen.finished = true;
	seen.status = end->status;
	if (end->error)
		snprintf(seen.message, sizeof(seen.message), "%s", end->error->message);
	if (results) {
		seen.responses = results->responses;
		seen.failed_responses = results->failed_responses;
		seen.ratings = results->ratings;
		seen.failed_ratings = results->failed_ratings;
	}
	loop_stop(home);
}

static void daemon_start(void)
{
	const struct work_events events = {
		.progress = on_progress, .held = on_held, .log = on_log, .finished = on_finished
	};
	struct store_options options = { .state_dir = state_dir, .trouble = on_trouble };
	struct fault fault;

	ck_assert_int_eq(loop_new("home", &home), 0);
	options.reply_to = home;
	ck_assert_msg(store_open(&options, &store, &fault) >= 0, "%s", fault.message);
	ck_assert_int_eq(backend_global_init(), 0);
	ck_assert_int_eq(loop_new("backend", &backend_loop), 0);
	ck_assert_int_eq(backend_new(backend_loop, &backend), 0);
	ck_assert_int_eq(loop_start(backend_loop), 0);
	ck_assert_int_eq(work_new(2, home, store, backend, &events, &work), 0);
}

static void daemon_stop(void)
{
	work = work_free(work);
	loop_stop(backend_loop);
	loop_join(backend_loop);
	backend = backend_free(backend);
	backend_loop = loop_free(backend_loop);
	store = store_close(store);
	home = loop_free(home);
}

/* ---- The experiment ---- */

static const struct ellu_run_experiment_request *make_request(struct arena *arena,
							      const char *custom)
{
	const char *config = arena_printf(arena, "{\"content\": {\"name\": \"sim\", \"provider\": "
						 "\"simulated\", \"max_connections\": %d, \"custom\": %s}}",
					  CONNECTIONS, custom);
	const char *rows = "{\"topic\": \"topic 0\", \"n\": 0}";
	struct fault fault;
	const char *text;
	void *request;

	for (int i = 1; i < ROWS; i++)
		rows = arena_printf(arena, "%s, {\"topic\": \"topic %d\", \"n\": %d}", rows, i, i);
	text = arena_printf(
		arena,
		"{\"name\": \"Real\", \"rating_mode\": \"detailed\", \"llm_config\": %s,"
		" \"rating_llm_config\": %s, \"prompt_template\": {\"content\": {\"name\": \"Topics\","
		" \"messages\": [{\"role\": \"user\", \"content\": \"On {{topic}}, {{n}} words.\"}]}},"
		" \"criteria\": [\"Is it about {{topic}}?\", \"Is it short?\"], \"collection\": "
		"{\"content\": {\"name\": \"Rows\", \"variables\": [%s]}}}",
		config, config, rows);
	ck_assert_msg(record_from_text(&ellu_run_experiment_request_type, text, strlen(text),
				       FROM_CLIENT, arena, &request, &fault) >= 0,
		      "%s", fault.message);
	return request;
}

static void start_run(int64_t attempt)
{
	const struct work_task task = {
		.task_id = task_id,
		.kind = TASK_KIND_EXPERIMENT,
		.attempt = attempt,
		.experiment_id = experiment_id,
		.owner_uid = OWNER,
		.tuning = { .priority = 1, .cost_limit = -1 },
	};
	int64_t stop_at = seen.stop_at;
	bool abort = seen.abort;

	memset(&seen, 0, sizeof(seen));
	seen.stop_at = stop_at;
	seen.abort = abort;
	ck_assert_int_eq(work_start(work, &task, &run), 0);
	ck_assert_int_eq(loop_run(home), 0);
	ck_assert(seen.finished);
}

static void submit_and_run(const char *custom)
{
	struct task_submit submit = { .start = true, .scope.uid = OWNER };
	struct user_ensure ensure = { .uid = OWNER };

	store_request_init(&ensure.request, home, on_request_done, NULL);
	store_user_ensure(store, &ensure);
	await(&ensure.request);
	store_request_done(&ensure.request);

	store_request_init(&submit.request, home, on_request_done, NULL);
	submit.arguments = make_request(&submit.request.arena, custom);
	submit.method = &elluminate_interface.methods[METHOD_RUN_EXPERIMENT];
	store_task_submit(store, &submit);
	await(&submit.request);
	ck_assert_msg(strcmp(submit.ret_task->status, "STARTED") == 0, "%s: %s",
		      submit.ret_task->status,
		      submit.ret_task->error ? submit.ret_task->error->message : "");
	task_id = submit.ret_task->id;
	experiment_id = *submit.ret_task->experiment_id;
	start_run(submit.ret_attempt);
	store_request_done(&submit.request);
}

/* The next start of the daemon finds the task PENDING. */
static void go_on(void)
{
	struct task_claim claim = { .task_id = task_id };

	store_request_init(&claim.request, home, on_request_done, NULL);
	store_task_claim(store, &claim);
	await(&claim.request);
	ck_assert(claim.ret_changed);
	start_run(claim.ret_attempt);
	store_request_done(&claim.request);
}

static void assert_complete(void)
{
	struct run_load load = { .task_id = task_id };

	ck_assert_msg(seen.status == TASK_SUCCESS, "%d: %s", seen.status, seen.message);
	ck_assert_int_eq(seen.responses, ROWS);
	ck_assert_int_eq(seen.ratings, 2 * (ROWS - seen.failed_responses));
	ck_assert_int_eq(seen.generated, ROWS);
	store_request_init(&load.request, home, on_request_done, NULL);
	store_run_load(store, &load);
	await(&load.request);
	ck_assert_uint_eq(load.ret_spec->n_epochs, 1);
	ck_assert_int_eq(load.ret_spec->epochs[0].generated, ROWS);
	ck_assert_int_eq(load.ret_spec->epochs[0].rated, ROWS);
	ck_assert_int_eq(load.ret_spec->epochs[0].failed, seen.failed_responses);
	store_request_done(&load.request);
}

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(state_dir));
	memset(&seen, 0, sizeof(seen));
	daemon_start();
}

static void teardown(void)
{
	daemon_stop();
	nftw(state_dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

START_TEST(at_one_go)
{
	int64_t start;

	setup();
	start = clock_monotonic_usec();
	submit_and_run("{\"latency_seconds\": 0.02}");
	assert_complete();
	ck_assert_int_eq(seen.failed_responses, 0);
	ck_assert_int_eq(seen.failed_ratings, 0);
	printf("%d cases: %.3f of ideal\n", ROWS,
	       (double)(clock_monotonic_usec() - start) / (3.0 * ROWS / CONNECTIONS * 20000));
	teardown();
}
END_TEST

START_TEST(with_faults)
{
	setup();
	submit_and_run("{\"latency_seconds\": 0.002, \"error_rate\": 0.05, \"rate_limit_rate\": 0.01,"
		       " \"bad_verdict_rate\": 0.3, \"seed\": 5}");
	assert_complete();
	ck_assert_int_gt(seen.failed_ratings, 0);
	ck_assert_int_gt(seen.n_lines, 0);
	teardown();
}
END_TEST

START_TEST(with_stops)
{
	setup();
	seen.stop_at = 50;
	submit_and_run("{\"latency_seconds\": 0.02}");
	for (int stop = 1; stop <= 3; stop++) {
		ck_assert_msg(seen.status == TASK_PENDING, "%d: %s", seen.status, seen.message);
		daemon_stop();
		daemon_start();
		seen.stop_at = stop == 3 ? 0 : 50 + 70 * stop;
		seen.abort = stop == 2;
		go_on();
	}
	assert_complete();
	teardown();
}
END_TEST

int main(void)
{
	return RUN_TESTS(at_one_go, with_faults, with_stops);
}
