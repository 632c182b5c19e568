/* NULL, closed, freed and foreign things, and callbacks that pull the ground away. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "client/elluminate.h"
#include "tests/unit/client/client_standin.h"
#include "tests/unit/suite.h"

static struct standin standin;
static int n_told;

static struct ellu *open_handle(unsigned mode)
{
	struct ellu *handle;

	ck_assert_int_eq(ellu_open(standin.path, mode, &handle), 0);
	return handle;
}

static int start_none(struct ellu *handle, size_t index, struct ellu_op **ret_op, void *userdata)
{
	(void) index;
	(void) userdata;
	return ellu_call_raw_async(handle, "a.Hang", NULL, NULL, NULL, ret_op);
}

static int do_nothing(void *userdata)
{
	(void) userdata;
	return 0;
}

/* Every function that takes a handle. */
static void try_handle(struct ellu *handle, int wanted)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
	struct ellu_watch_task_request watch = ELLU_RECORD(struct ellu_watch_task_request);
	const struct ellu_error *error;
	struct ellu_stream *stream;
	struct ellu_op *op;

	ck_assert_int_eq(ellu_set_reconnect(handle, 1), -EINVAL);
	ck_assert_int_eq(ellu_set_timeout(handle, 1), wanted);
	ck_assert_int_eq(ellu_set_in_order(handle, 1), wanted);
	ck_assert_int_eq(ellu_get_task(handle, &request, NULL, &error), wanted);
	ck_assert_str_eq(error->code, "EINVAL");
	ellu_free(error);
	ck_assert_int_eq(ellu_call_raw(handle, "a.B", NULL, NULL, NULL), wanted);
	ck_assert_int_eq(ellu_oneway_raw(handle, "a.B", NULL, NULL), wanted);
	ck_assert_int_eq(ellu_stream_raw(handle, "a.B", NULL, &stream, NULL), wanted);
	ck_assert_int_eq(ellu_call_method(handle, "org.elluminate.GetTask", &request, NULL, NULL), wanted);
	ck_assert_int_eq(ellu_stream_method(handle, "org.elluminate.WatchTask", &watch, &stream, NULL), wanted);
	ck_assert_int_eq(ellu_watch_task_stream(handle, &watch, &stream, NULL), wanted);
	ck_assert_int_eq(ellu_call_raw_async(handle, "a.B", NULL, NULL, NULL, &op), wanted);
	ck_assert_int_eq(ellu_watch_task_stream_async(handle, &watch, NULL, NULL, &op), wanted);
	ck_assert_int_eq(ellu_get_task_async(handle, &request, NULL, NULL, NULL), wanted);
	ck_assert_int_eq(ellu_gather(handle, 1, 1, start_none, NULL, 0, &op), wanted);
	ck_assert_int_eq(ellu_run_off_loop(handle, do_nothing, NULL, NULL, NULL), wanted);
	ck_assert_int_eq(ellu_await(handle, start_none, NULL, 0, NULL, NULL), wanted);
	ck_assert_int_eq(ellu_fd(handle), wanted);
	ck_assert_int_eq(ellu_events(handle), wanted);
	ck_assert_uint_eq(ellu_timeout(handle), UINT64_MAX);
	ck_assert_int_eq(ellu_process(handle), wanted);
	ck_assert_int_eq(ellu_set_close_callback(handle, NULL, NULL), wanted);
	ck_assert_ptr_null(ellu_close(handle));
}

static void try_op(struct ellu_op *op)
{
	ck_assert_int_eq(ellu_op_is_done(op), 0);
	ck_assert_int_eq(ellu_op_result(op, NULL, NULL), -EINVAL);
	ck_assert_ptr_null(ellu_op_userdata(op));
	ck_assert_int_eq(ellu_op_set_callback(op, NULL, NULL), -EINVAL);
	ck_assert_int_eq(ellu_op_wait(op, 0), -EINVAL);
	if (op) {
		ck_assert_int_eq(ellu_op_wait_all(&op, 1, 0), -EINVAL);
		ck_assert_int_eq(ellu_op_wait_any(&op, 1, 0), -EINVAL);
	}
	ck_assert_int_eq(ellu_op_cancel(op), -EINVAL);
	ck_assert_int_eq(ellu_op_cancel_task(op), -EINVAL);
	ck_assert_int_eq(ellu_op_is_reconnecting(op), 0);
	ck_assert_int_eq(ellu_op_task_id(op), 0);
	ck_assert_ptr_null(ellu_op_free(op));
}

static void try_stream(struct ellu_stream *stream)
{
	const struct ellu_task *item;
	const void *reply;

	ck_assert_int_eq(ellu_stream_next(stream, &reply, NULL), -EINVAL);
	ck_assert_int_eq(ellu_list_tasks_next_item(stream, &item, NULL), -EINVAL);
	ck_assert_int_eq(ellu_stream_wait(stream, 0), -EINVAL);
	ck_assert_int_eq(ellu_stream_is_reconnecting(stream), 0);
	ck_assert_int_eq(ellu_stream_task_id(stream), 0);
	ck_assert_int_eq(ellu_stream_cancel_task(stream, NULL), -EINVAL);
	ck_assert_ptr_null(ellu_stream_close(stream));
}

START_TEST(what_is_none)
{
	struct ellu *handles[2];
	struct ellu_stream *stream;
	struct ellu_op *op;

	standin_start(&standin, standin_answer);
	handles[0] = open_handle(ELLU_BLOCKING);
	handles[1] = open_handle(ELLU_EVENT);
	ck_assert_int_eq(ellu_stream_raw(handles[0], "a.Hang", NULL, &stream, NULL), 0);
	ck_assert_int_eq(ellu_call_raw_async(handles[1], "a.Hang", NULL, NULL, NULL, &op), 0);
	try_handle(NULL, -EINVAL);
	try_op(NULL);
	try_stream(NULL);
	/* Of another kind. */
	try_handle((struct ellu *) op, -EINVAL);
	try_op((struct ellu_op *) stream);
	try_stream((struct ellu_stream *) handles[0]);
	/* Freed and closed. */
	ellu_op_free(op);
	try_op(op);
	ellu_stream_close(stream);
	try_stream(stream);
	for (int i = 0; i < 2; i++) {
		ellu_close(handles[i]);
		try_handle(handles[i], -EINVAL);
	}
	standin_stop(&standin);
}
END_TEST

static void on_close(struct ellu *handle, void *userdata)
{
	(void) handle;
	++*(int *) userdata;
}

START_TEST(wrong_arguments)
{
	struct ellu *handle, *other;
	const struct ellu_error *error;
	struct ellu_stream *stream;
	struct ellu_op *ops[2];
	const double bad[] = { -1, -0.001, 1e9, NAN, INFINITY };

	standin_start(&standin, standin_answer);
	handle = open_handle(ELLU_EVENT);
	other = open_handle(ELLU_EVENT);
	ck_assert_int_eq(start_none(handle, 0, &ops[0], NULL), 0);
	ck_assert_int_eq(start_none(other, 0, &ops[1], NULL), 0);
	ck_assert_int_eq(ellu_op_wait_all(ops, 2, 0), -EINVAL); // of two handles
	ck_assert_int_eq(ellu_op_wait_any(ops, 2, 0), -EINVAL);
	ck_assert_int_eq(ellu_op_wait_all(NULL, 1, 0), -EINVAL);
	ck_assert_int_eq(ellu_op_wait_any(NULL, 1, 0), -EINVAL);
	ck_assert_int_eq(ellu_op_wait_any(NULL, 0, 0), -ENOENT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(ellu_op_wait(ops[0], bad[i]), -EINVAL);
		ck_assert_int_eq(ellu_gather(handle, 1, 1, start_none, NULL, bad[i], ops), -EINVAL);
		ck_assert_int_eq(ellu_await(handle, start_none, NULL, bad[i], NULL, NULL), -EINVAL);
	}
	ck_assert_int_eq(ellu_gather(handle, 1, 1, NULL, NULL, 0, ops), -EINVAL);
	ck_assert_int_eq(ellu_gather(handle, 1, 1, start_none, NULL, 0, NULL), -EINVAL);
	ck_assert_int_eq(ellu_await(handle, NULL, NULL, 0, NULL, &error), -EINVAL);
	ellu_free(error);
	ck_assert_int_eq(ellu_run_off_loop(handle, NULL, NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(ellu_set_close_callback(handle, on_close, &n_told), 0);
	ck_assert_int_eq(ellu_set_close_callback(handle, on_close, NULL), -EBUSY);
	ellu_op_free(ops[0]);
	ellu_op_free(ops[1]);
	ellu_close(handle);
	ck_assert_int_eq(n_told, 1);
	ellu_close(other);
	handle = open_handle(ELLU_BLOCKING);
	ck_assert_int_eq(ellu_stream_raw(handle, "a.Hang", NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(ellu_call_method(handle, "a.Hang", NULL, NULL, NULL), -ENOSYS);
	ck_assert_int_eq(ellu_call_method(handle, NULL, NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(ellu_stream_method(handle, NULL, NULL, &stream, NULL), -EINVAL);
	ck_assert_int_eq(ellu_stream_raw(handle, "a.Hang", NULL, &stream, NULL), 0);
	ck_assert_int_eq(ellu_stream_next(stream, NULL, NULL), -EINVAL);
	ck_assert_int_eq(ellu_stream_cancel_task(stream, NULL), -EOPNOTSUPP);
	ellu_close(handle); // before its stream
	ck_assert_int_eq(ellu_stream_wait(stream, 0), -ECANCELED);
	ck_assert_int_eq(ellu_stream_next(stream, (const void **) &error, NULL), -ECANCELED);
	ellu_stream_close(stream);
	standin_stop(&standin);
}
END_TEST

/* ---- Callbacks ---- */

static struct ellu_op *victims[8];

/* Frees all, itself included, and ends its own twice over. */
static void free_all(struct ellu_op *op, int result, const void *reply,
		     const struct ellu_error *error, void *userdata)
{
	const struct ellu_watch_task_reply *watch = reply;

	(void) error;
	(void) userdata;
	n_told++;
	ck_assert_int_ge(result, 0);
	ellu_op_cancel(op);
	for (int i = 0; i < 8; i++)
		victims[i] = ellu_op_free(victims[i]);
	ck_assert_int_eq(ellu_op_result(op, NULL, NULL), -EINVAL);
	ck_assert_str_eq(watch->event->status, "STARTED"); // until the callback returns
}

START_TEST(a_callback_frees_everything)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	struct ellu *handle;

	standin_start(&standin, standin_answer);
	handle = open_handle(ELLU_EVENT);
	request.id = 7;
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(ellu_stream_method_async(handle, "org.elluminate.WatchTask", &request, NULL,
				(ellu_any_fn *) free_all, NULL,
							      &victims[i]),
				 0);
	while (n_told == 0)
		ck_assert_int_ge(ellu_process(handle), 0);
	ck_assert_int_eq(ellu_process(handle), 0);
	ck_assert_int_eq(n_told, 1);
	ellu_close(handle);
	standin_stop(&standin);
}
END_TEST

static void close_in_callback(struct ellu_op *op, int result, const void *reply,
			      const struct ellu_error *error, void *userdata)
{
	struct ellu **handle = userdata;

	(void) result;
	(void) error;
	n_told++;
	*handle = ellu_close(*handle);
	ck_assert_int_eq(ellu_op_is_done(op), 1);
	ck_assert_ptr_nonnull(reply);
}

/* The library's own operation may be ended by its callback as well. */
static void free_unowned(struct ellu_op *op, int result, const void *reply,
			 const struct ellu_error *error, void *userdata)
{
	(void) result;
	(void) reply;
	(void) error;
	(void) userdata;
	n_told++;
	ck_assert_ptr_null(ellu_op_free(op));
	ck_assert_ptr_null(ellu_op_free(op));
}

START_TEST(a_callback_closes_the_handle)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	struct ellu *handle;
	struct ellu_op *ops[3];
	int r;

	standin_start(&standin, standin_answer);
	handle = open_handle(ELLU_EVENT);
	request.id = 7;
	ck_assert_int_eq(ellu_stream_method_async(handle, "org.elluminate.WatchTask", &request, NULL,
				(ellu_any_fn *) free_unowned, NULL, NULL), 0);
	while (n_told == 0)
		ck_assert_int_ge(ellu_process(handle), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ellu_stream_method_async(handle, "org.elluminate.WatchTask", &request, NULL,
				(ellu_any_fn *) close_in_callback,
							      &handle, &ops[i]),
				 0);
	do
		r = ellu_process(handle);
	while (r >= 0);
	ck_assert_int_eq(r, -ECANCELED);
	ck_assert_int_eq(n_told, 2);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(ellu_op_is_done(ops[i]), 1);
		ck_assert_int_eq(ellu_op_wait(ops[i], 1), -ECANCELED);
		ck_assert_int_eq(ellu_op_cancel(ops[i]), 0);
		ck_assert_int_eq(ellu_op_set_callback(ops[i], free_all, NULL), 0);
		ellu_op_free(ops[i]);
	}
	standin_stop(&standin);
}
END_TEST

/* ---- Descriptors ---- */

START_TEST(out_of_descriptors)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
	struct ellu *blocking, *event, *handle;
	struct ellu_stream *stream;
	struct rlimit limit, none;
	struct ellu_op *op;

	standin_start(&standin, standin_answer);
	blocking = open_handle(ELLU_BLOCKING);
	event = open_handle(ELLU_EVENT);
	request.id = 7;
	ck_assert_int_eq(ellu_stream_raw(blocking, "a.Hang", NULL, &stream, NULL), 0);
	ck_assert_int_eq(start_none(event, 0, &op, NULL), 0);
	ck_assert_int_eq(ellu_op_wait(op, 0.01), 0);
	while (standin.n_calls < 2)
		; // it needs descriptors as well, to accept
	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_BLOCKING, &handle), -EMFILE);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_EVENT, &handle), -EMFILE);
	ck_assert_int_eq(ellu_get_task(blocking, &request, NULL, NULL), -EMFILE);
	ck_assert_int_eq(ellu_get_task_async(event, &request, NULL, NULL, NULL), -EMFILE);
	setrlimit(RLIMIT_NOFILE, &limit);
	ck_assert_int_eq(ellu_get_task(blocking, &request, NULL, NULL), 0);
	ellu_op_free(op);
	ck_assert_int_eq(ellu_get_task_async(event, &request, NULL, NULL, &op), 0);
	ck_assert_int_eq(ellu_op_wait(op, 10), 1);
	ck_assert_int_eq(ellu_op_result(op, NULL, NULL), 0);
	ellu_op_free(op);
	ellu_stream_close(stream);
	ellu_close(blocking);
	ellu_close(event);
	standin_stop(&standin);
}
END_TEST

/* What a request lacks is told with its field. */
START_TEST(bad_requests)
{
	struct ellu_run_experiment_request request = ELLU_RECORD(struct ellu_run_experiment_request);
	struct ellu_ref sizeless = { 0 };
	struct ellu_llm_config config = ELLU_RECORD(struct ellu_llm_config);
	struct ellu_llm_config_in in = ELLU_RECORD(struct ellu_llm_config_in);
	const char *const criteria[] = { "Is it short?", NULL, "Is it \xff?" };
	const struct ellu_error *error;
	struct ellu *handle;

#define ASSERT_REFUSED(code_, field_, message_)                                                  \
	do {                                                                                     \
		ck_assert_int_eq(ellu_run_experiment(handle, &request, NULL, &error), code_);    \
		ck_assert_str_eq(error->field, field_);                                          \
		ck_assert_str_eq(error->message, message_);                                      \
		ellu_free(error);                                                                \
	} while (0)
	standin_start(&standin, standin_answer);
	handle = open_handle(ELLU_BLOCKING);
	request.experiment = &sizeless;
	ASSERT_REFUSED(-EINVAL, "experiment",
		       "experiment: a record without its size: begin with ELLU_RECORD()");
	request.experiment = NULL;
	request.n_criteria = 2;
	ASSERT_REFUSED(-EINVAL, "criteria", "criteria: NULL, but its count is not 0");
	request.criteria = criteria;
	ASSERT_REFUSED(-EINVAL, "criteria[1]", "criteria[1]: NULL");
	request.criteria = criteria + 2;
	request.n_criteria = 1;
	ASSERT_REFUSED(-EILSEQ, "criteria[0]", "criteria[0]: a text that is not UTF-8");
	request.criteria = criteria;
	config.custom = "[1]";
	in.content = &config;
	request.llm_config = &in;
	ASSERT_REFUSED(-EINVAL, "llm_config.content.custom",
		       "llm_config.content.custom: not the text of a JSON object");
	request.llm_config = NULL;
	request.time_limit_seconds = NAN;
	ASSERT_REFUSED(-EDOM, "time_limit_seconds",
		       "time_limit_seconds: a number that is not finite");
	request.struct_size = 0;
	ck_assert_int_eq(ellu_run_experiment(handle, &request, NULL, &error), -EINVAL);
	ck_assert_ptr_null(error->field);
	ck_assert_str_eq(error->message,
			 "request: a record without its size: begin with ELLU_RECORD()");
	ellu_free(error);
	ellu_close(handle);
	standin_stop(&standin);
}
END_TEST

/* Who gathers waits for the first one already. */
static int start_behind(struct ellu *handle, size_t index, struct ellu_op **ret_op, void *userdata)
{
	struct ellu_op *const *ops = userdata;

	if (index == 1) {
		ck_assert_int_eq(ellu_op_wait(ops[0], 1), -EDEADLK);
		ck_assert_int_eq(ellu_op_wait_any(ops, 1, 1), -EDEADLK);
		ellu_op_cancel(ops[0]);
	}
	return ellu_call_raw_async(handle, index == 0 ? "a.Hang" : "a.GetInfo", NULL, NULL, NULL, ret_op);
}

START_TEST(waiting_where_a_gather_starts)
{
	struct ellu_op *ops[2];
	struct ellu *handle;

	standin_start(&standin, standin_answer);
	handle = open_handle(ELLU_EVENT);
	ck_assert_int_eq(ellu_gather(handle, 2, 0, start_behind, ops, 10, ops), 1);
	ck_assert_int_eq(ellu_op_result(ops[0], NULL, NULL), -ECANCELED);
	ck_assert_int_eq(ellu_op_result(ops[1], NULL, NULL), 0);
	ellu_op_free(ops[0]);
	ellu_op_free(ops[1]);
	ellu_close(handle);
	standin_stop(&standin);
}
END_TEST

int main(void)
{
	return RUN_TESTS(what_is_none, wrong_arguments, bad_requests, a_callback_frees_everything,
			 a_callback_closes_the_handle, waiting_where_a_gather_starts, out_of_descriptors);
}
