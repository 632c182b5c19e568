#include "tests/unit/store/store_fixture.h"

#include "daemon/base/clock.h"
#include "proto/wire/message.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MSEC 60000 // the store may have the file for itself for a moment

const struct scope own = { .uid = UID };

static void on_trouble(void *userdata, enum store_trouble trouble)
{
	struct fixture *f = userdata;

	f->trouble_reports++;
	f->trouble = trouble;
	if (f->awaits_trouble && trouble == f->awaited)
		loop_stop(f->loop);
}

void fixture_await_trouble(struct fixture *f, enum store_trouble trouble)
{
	f->awaits_trouble = true;
	f->awaited = trouble;
	if (f->trouble != trouble)
		ck_assert_int_eq(loop_run(f->loop), 0);
	f->awaits_trouble = false;
	ck_assert_int_eq(f->trouble, trouble);
}

int fixture_try_start(struct fixture *f, bool system, struct fault *fault)
{
	struct store_options options = {
		.state_dir = f->dir,
		.system = system,
		.check_statements = true,
		.reply_to = f->loop,
		.trouble = on_trouble,
		.userdata = f,
	};

	return store_open(&options, &f->store, fault);
}

void fixture_ensure(struct fixture *f)
{
	struct user_ensure ensure = { .uid = UID };

	CALL_OK(f, store_user_ensure, &ensure);
}

void fixture_start(struct fixture *f)
{
	struct fault fault;

	ck_assert_msg(fixture_try_start(f, false, &fault) == 0, "%s", fault.message);
	fixture_ensure(f);
}

void fixture_stop(struct fixture *f)
{
	f->store = store_close(f->store);
}

void fixture_open(struct fixture *f)
{
	*f = (struct fixture){ 0 };
	strcpy(f->dir, "/tmp/ellu-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f->dir));
	ck_assert_int_eq(loop_new("test", &f->loop), 0);
	fixture_start(f);
}

static void remove_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	char name[600];

	while (folder && (entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (unlink(name) < 0)
			remove_folder(name);
	}
	if (folder)
		closedir(folder);
	rmdir(path);
}

void fixture_restart(struct fixture *f)
{
	fixture_stop(f);
	fixture_start(f);
}

void fixture_close(struct fixture *f)
{
	fixture_stop(f);
	f->loop = loop_free(f->loop);
	arena_done(&f->arena);
	for (size_t i = 0; i < f->n_answers; i++)
		arena_done(&f->answers[i]);
	free(f->answers);
	remove_folder(f->dir);
}

const void *record(struct fixture *f, const struct record_type *type, const char *format, ...)
{
	struct fault fault;
	void *decoded;
	va_list values;
	char *text;
	int size;

	va_start(values, format);
	size = vasprintf(&text, format, values);
	va_end(values);
	ck_assert_int_ge(size, 0);
	ck_assert_msg(record_from_text(type, text, (size_t)size, FROM_CLIENT, &f->arena, &decoded,
				       &fault) == 0, "%s: %s", text, fault.message);
	free(text);
	return decoded;
}

void method_of(struct fixture *f, struct method_run *op, enum method_id id, const char *format, ...)
{
	va_list values;
	char *text;

	va_start(values, format);
	ck_assert_int_ge(vasprintf(&text, format, values), 0);
	va_end(values);
	op->method = &elluminate_interface.methods[id];
	op->arguments = record(f, op->method->request, "%s", text);
	free(text);
}

static void on_done(struct store_request *request)
{
	loop_stop(request->userdata);
}

void fixture_init(struct fixture *f, struct store_request *request)
{
	store_request_init(request, f->loop, on_done, f->loop);
}

static void keep_answer(struct fixture *f, struct store_request *request)
{
	char *text = request->text;

	if (text) {
		request->text = arena_strndup(&request->arena, text, request->text_size);
		ck_assert_ptr_nonnull(request->text);
		free(text);
	}
	f->answers = realloc(f->answers, (f->n_answers + 1) * sizeof(*f->answers));
	ck_assert_ptr_nonnull(f->answers);
	f->answers[f->n_answers++] = arena_take(&request->arena);
}

int fixture_wait(struct fixture *f, struct store_request *request)
{
	ck_assert_int_eq(loop_run(f->loop), 0);
	keep_answer(f, request);
	return request->result;
}

const void *page_of(struct fixture *f, const struct store_request *request,
		    const struct record_type *type)
{
	size_t head = strlen(WIRE_REPLY_HEAD);
	struct fault fault;
	void *reply;

	ck_assert_int_eq(strncmp(request->text, WIRE_REPLY_HEAD, head), 0);
	ck_assert_msg(record_from_text(type, request->text + head, request->text_size - head,
				       FROM_DAEMON, &f->arena, &reply, &fault) == 0, "%s: %s",
		      request->text, fault.message);
	return reply;
}

static void on_one_done(struct store_request *request)
{
	struct fixture *f = request->userdata;

	f->ended[f->n_ended++] = request;
	if (--f->n_begun == 0)
		loop_stop(f->loop);
}

void fixture_begin(struct fixture *f, struct store_request *request)
{
	if (f->n_begun++ == 0)
		f->n_ended = 0;
	ck_assert_int_le(f->n_begun + f->n_ended, FIXTURE_BEGUN_MAX);
	store_request_init(request, f->loop, on_one_done, f);
}

void fixture_wait_all(struct fixture *f)
{
	ck_assert_int_eq(loop_run(f->loop), 0);
	for (int i = 0; i < f->n_ended; i++) {
		ck_assert_msg(f->ended[i]->result == 0, "%s", f->ended[i]->fault.message);
		keep_answer(f, f->ended[i]);
	}
}

void task_of(struct fixture *f, struct task_submit *op, enum method_id id, const char *json)
{
	op->method = &elluminate_interface.methods[id];
	op->arguments = record(f, op->method->request, "%s", json);
}

int submit_op(struct fixture *f, struct task_submit *op, const char *format, ...)
{
	va_list values;
	char *text;
	int r;

	va_start(values, format);
	r = vasprintf(&text, format, values);
	va_end(values);
	ck_assert_int_ge(r, 0);
	op->scope = own;
	task_of(f, op, METHOD_RUN_EXPERIMENT, text);
	free(text);
	return CALL(f, store_task_submit, op);
}

const struct ellu_task *submit(struct fixture *f, const char *format, ...)
{
	struct task_submit *op = arena_alloc(&f->arena, sizeof(*op));
	va_list values;
	char *text;
	int r;

	va_start(values, format);
	r = vasprintf(&text, format, values);
	va_end(values);
	ck_assert_int_ge(r, 0);
	r = submit_op(f, op, "%s", text);
	free(text);
	ck_assert_msg(r == 0, "%s", op->request.fault.message);
	return op->ret_task;
}

int64_t claim(struct fixture *f, int64_t task_id)
{
	struct task_claim op = { .task_id = task_id };

	CALL_OK(f, store_task_claim, &op);
	ck_assert(op.ret_changed);
	return op.ret_attempt;
}

void finish(struct fixture *f, int64_t task_id, enum task_status status)
{
	struct task_change op = { .task_id = task_id, .status = status };

	CALL_OK(f, store_task_change, &op);
	ck_assert(op.ret_changed);
}

const struct run_spec *load_run(struct fixture *f, int64_t experiment_id)
{
	struct run_load *op = arena_alloc(&f->arena, sizeof(*op));
	char sql[100];

	snprintf(sql, sizeof(sql), "SELECT task_id FROM experiments WHERE id = %d", (int)experiment_id);
	op->task_id = look_int(f, sql);
	CALL_OK(f, store_run_load, op);
	return op->ret_spec;
}

int64_t answer(struct fixture *f, const struct run_spec *spec, int64_t row_id, int64_t epoch,
	       const char *text)
{
	struct fault fault = { 0 };
	struct response_record op = {
		.run_id = spec->run_id,
		.round = spec->round,
		.owner_uid = spec->owner_uid,
		.project_id = spec->project_id,
		.row_id = row_id,
		.epoch = epoch,
		.text = text,
		.finish_reason = text ? "stop" : NULL,
		.error = text ? NULL : &fault,
		.attempts = 1,
		.duration_usec = 1000 * row_id,
		.input_tokens = 10,
		.output_tokens = 20,
		.reasoning_tokens = -1,
		.cost_nanodollars = -1,
		.complete = spec->n_measures == 0,
	};

	fault_set(&fault, ELLU_E_BACKEND_UNAVAILABLE, "no answer");
	CALL_OK(f, store_response_record, &op);
	return op.ret_response_id;
}

void rate(struct fixture *f, const struct run_spec *spec, int64_t response_id, int64_t epoch,
	  size_t measure, int value, bool complete)
{
	struct fault fault = { 0 };
	struct rating_record op = {
		.run_id = spec->run_id,
		.round = spec->round,
		.owner_uid = spec->owner_uid,
		.project_id = spec->project_id,
		.epoch = epoch,
		.response_id = response_id,
		.measure_id = spec->measures[measure].id,
		.judge_id = spec->judge_id,
		.value = value,
		.raw_text = "{}",
		.error = value < 0 ? &fault : NULL,
		.attempts = 1,
		.duration_usec = 500,
		.input_tokens = 1,
		.output_tokens = 2,
		.cost_nanodollars = 7,
		.complete = complete,
	};

	fault_set(&fault, ELLU_E_BACKEND_REJECTED, "no verdict");
	CALL_OK(f, store_rating_record, &op);
}

sqlite3 *look(struct fixture *f)
{
	char path[100];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/elluminate.db", f->dir);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	(void)sqlite3_busy_timeout(db, BUSY_MSEC);
	return db;
}

void look_run(struct fixture *f, const char *sql)
{
	sqlite3 *db = look(f);

	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

int64_t look_int(struct fixture *f, const char *sql)
{
	sqlite3 *db = look(f);
	sqlite3_stmt *statement;
	int64_t value;

	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s",
		      sqlite3_errmsg(db));
	ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return value;
}

bool folder_holds(struct fixture *f, const char *text)
{
	DIR *folder = opendir(f->dir);
	struct dirent *entry;
	bool found = false;
	char path[400];

	while ((entry = readdir(folder))) {
		struct stat file;
		char *content;
		FILE *stream;
		size_t n;

		snprintf(path, sizeof(path), "%s/%s", f->dir, entry->d_name);
		if (stat(path, &file) < 0 || !S_ISREG(file.st_mode))
			continue;
		content = malloc((size_t)file.st_size + 1);
		stream = fopen(path, "r");
		ck_assert(content && stream);
		n = fread(content, 1, (size_t)file.st_size, stream);
		fclose(stream);
		found = found || memmem(content, n, text, strlen(text));
		free(content);
	}
	closedir(folder);
	return found;
}

static void on_hold(struct message *message)
{
	struct hold *hold = (struct hold *)message;

	while (sem_wait(&hold->released) < 0)
		;
}

void hold_begin(struct hold *hold, struct loop *loop)
{
	*hold = (struct hold){ .message = { .deliver = on_hold } };
	ck_assert_int_eq(sem_init(&hold->released, 0, 0), 0);
	loop_post(loop, &hold->message);
}

void hold_end(struct hold *hold)
{
	ck_assert_int_eq(sem_post(&hold->released), 0);
}

static void on_pass(struct message *message)
{
	hold_end((struct hold *)message);
}

void fixture_pass(struct loop *loop)
{
	struct hold pass = { .message = { .deliver = on_pass } };

	ck_assert_int_eq(sem_init(&pass.released, 0, 0), 0);
	loop_post(loop, &pass.message);
	while (sem_wait(&pass.released) < 0)
		;
}

void fixture_await(struct fixture *f, const char *sql, int64_t value)
{
	int64_t deadline = clock_monotonic_usec() + 50 * USEC_PER_SEC;
	struct user_ensure turn = { .uid = UID };

	while (look_int(f, sql) != value) {
		ck_assert_msg(clock_monotonic_usec() < deadline, "%s is never %lld", sql,
			      (long long)value);
		/* A turn of the writer, that others get too. */
		CALL_OK(f, store_user_ensure, &turn);
	}
}

const struct ellu_task *submit_grid(struct fixture *f, const char *more)
{
	return submit(f, "{\"name\": \"X\", \"n_epochs\": 2, \"prompt_template\": {\"content\": {\"name\":"
			  " \"T\", \"messages\": [{\"role\": \"user\", \"content\": \"{{n}}\"}]}},"
			  "\"collection\": {\"content\": {\"name\": \"C\", \"variables\":"
			  " [{\"n\": 1}, {\"n\": 2}, {\"n\": 3}, {\"n\": 4}]}},"
			  "\"criteria\": [\"A?\", \"B?\"]%s}", more);
}
