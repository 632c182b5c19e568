/* Operations of an event handle. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "client/elluminate.h"
#include "tests/unit/client/client_standin.h"
#include "tests/unit/suite.h"

static struct standin standin;
static struct ellu *handle;
static int n_replies, n_ended, last_result;

static void start(void)
{
	standin_start(&standin, standin_answer);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_EVENT, &handle), 0);
}

static void stop(void)
{
	ellu_close(handle);
	standin_stop(&standin);
}

/* An event loop in small. */
static void run_until(const int *counter, int wanted)
{
	while (*counter < wanted) {
		struct pollfd poll_fd = { .fd = ellu_fd(handle),
					  .events = (short) ellu_events(handle) };
		int timeout = ellu_timeout(handle) == UINT64_MAX ? 10000 : 1;

		ck_assert_int_ge(poll(&poll_fd, 1, timeout), timeout > 1);
		while (ellu_process(handle) > 0)
			;
	}
}

static void count(struct ellu_op *op, int result, const void *reply, const struct ellu_error *error,
		  void *userdata)
{
	(void) op;
	(void) userdata;
	ck_assert_int_eq(result >= 0, reply != NULL);
	ck_assert_int_eq(result < 0, error != NULL);
	ck_assert_int_eq(ellu_process(handle), -EDEADLK);
	ck_assert_int_eq(ellu_op_wait(op, 1), result == 1 ? -EDEADLK : 1);
	n_replies++;
	n_ended += result != 1;
	last_result = result;
}

static void count_raw(struct ellu_op *op, int result, const struct ellu_raw_reply *reply,
		     const struct ellu_error *error, void *userdata)
{
	count(op, result, reply, error, userdata);
}

START_TEST(many_calls_share_few_connections)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);

	start();
	request.id = 7;
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(ellu_call_method_async(handle, "org.elluminate.GetTask", &request, NULL,
				(ellu_any_fn *) count, NULL, NULL), 0);
	ck_assert_int_eq(n_replies, 0);
	run_until(&n_ended, 100);
	ck_assert_int_eq(last_result, 0);
	ck_assert_int_eq(standin.n_calls, 100);
	ck_assert_int_le(standin.n_connections, 4);
	stop();
}
END_TEST

START_TEST(long_calls_do_not_hold_up_short_ones)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);

	start();
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(ellu_call_raw_async(handle, "a.Hang", NULL, count_raw, NULL, NULL), 0);
	request.id = 404;
	ck_assert_int_eq(ellu_call_method_async(handle, "org.elluminate.GetTask", &request, NULL,
				(ellu_any_fn *) count, NULL, NULL), 0);
	run_until(&n_ended, 1);
	ck_assert_int_eq(last_result, ELLU_E_NOT_FOUND);
	stop();
}
END_TEST

START_TEST(a_stream_by_callback)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	const struct ellu_watch_task_reply *reply;
	struct ellu_op *op;

	start();
	request.id = 7;
	ck_assert_int_eq(ellu_stream_method_async(handle, "org.elluminate.WatchTask", &request, NULL,
				(ellu_any_fn *) count, NULL, &op), 0);
	ck_assert_int_eq(ellu_op_is_done(op), 0);
	ck_assert_int_eq(ellu_op_result(op, NULL, NULL), -EINPROGRESS);
	ck_assert_int_eq(ellu_op_wait(op, 10), 1);
	ck_assert_int_eq(n_replies, 5);
	ck_assert_int_eq(n_ended, 1);
	ck_assert_int_eq(ellu_watch_task_result(op, &reply, NULL), 0);
	ck_assert_str_eq(reply->event->status, "SUCCESS");
	stop();
	ck_assert_int_eq(ellu_op_is_done(op), 1);
	ck_assert_str_eq(reply->event->status, "SUCCESS");
	ellu_op_free(op);
	ck_assert_str_eq(reply->event->status, "SUCCESS");
	ellu_free(reply);
}
END_TEST

static void free_own(struct ellu_op *op, int result, const void *reply,
		     const struct ellu_error *error, void *userdata)
{
	(void) reply;
	(void) error;
	(void) userdata;
	n_replies++;
	ck_assert_int_ge(result, 0);
	ellu_op_free(op);
}

START_TEST(a_callback_may_free_its_operation)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	struct ellu_get_task_request get = ELLU_RECORD(struct ellu_get_task_request);
	struct ellu_op *op;

	start();
	request.id = get.id = 7;
	ck_assert_int_eq(ellu_stream_method_async(handle, "org.elluminate.WatchTask", &request, NULL,
				(ellu_any_fn *) free_own, NULL, &op), 0);
	run_until(&n_replies, 1);
	ck_assert_int_eq(ellu_call_method_async(handle, "org.elluminate.GetTask", &get, NULL,
				(ellu_any_fn *) count, NULL, NULL), 0);
	run_until(&n_ended, 1);
	ck_assert_int_eq(n_replies, 2);
	stop();
}
END_TEST

static void close_all(struct ellu_op *op, int result, const void *reply,
		      const struct ellu_error *error, void *userdata)
{
	(void) op;
	(void) result;
	(void) reply;
	(void) error;
	(void) userdata;
	n_replies++;
	handle = ellu_close(handle);
}

START_TEST(a_callback_may_close_the_handle)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	struct ellu_op *hanging;

	start();
	request.id = 7;
	ck_assert_int_eq(ellu_call_raw_async(handle, "a.Hang", NULL, count_raw, NULL, &hanging), 0);
	ck_assert_int_eq(ellu_stream_method_async(handle, "org.elluminate.WatchTask", &request, NULL,
				(ellu_any_fn *) close_all, NULL, NULL), 0);
	ck_assert_int_eq(ellu_op_wait(hanging, 10), -ECANCELED);
	ck_assert_int_eq(n_replies, 1);
	ellu_op_free(hanging);
	stop();
}
END_TEST

START_TEST(an_operation_that_is_abandoned_stays_silent)
{
	struct ellu_op *op;

	start();
	ck_assert_int_eq(ellu_call_raw_async(handle, "a.Hang", NULL, count_raw, NULL, &op), 0);
	ck_assert_int_eq(ellu_op_wait(op, 0.01), 0);
	ck_assert_ptr_null(ellu_op_free(op));
	ck_assert_int_eq(ellu_process(handle), 0);
	ck_assert_int_eq(n_replies, 0);
	stop();
}
END_TEST

int main(void)
{
	return RUN_TESTS(many_calls_share_few_connections, long_calls_do_not_hold_up_short_ones,
			 a_stream_by_callback, a_callback_may_free_its_operation,
			 a_callback_may_close_the_handle,
			 an_operation_that_is_abandoned_stays_silent);
}
