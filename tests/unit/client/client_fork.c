/* A child after fork() holds copies of the parent's handles: it may close them, and no more. */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/elluminate.h"
#include "tests/unit/client/client_standin.h"
#include "tests/unit/suite.h"

static struct standin standin;
static struct ellu *handle;
static struct ellu_op *op;
static struct ellu_stream *stream;
static int n_closed;

static void note_close(struct ellu *closed, void *userdata)
{
	(void) closed;
	(void) userdata;
	n_closed++;
}

/* Runs `child` in a child, which must return 0. */
static void in_a_child(int (*child)(void))
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(child());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static int try_event_handle(void)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);

	request.id = 7;
	if (ellu_get_task_async(handle, &request, NULL, NULL, NULL) != -ECHILD ||
	    ellu_process(handle) != -ECHILD || ellu_fd(handle) != -ECHILD ||
	    ellu_op_wait(op, 0) != -ECHILD)
		return 1;
	ellu_op_free(op);
	ellu_close(handle);
	return n_closed;
}

START_TEST(a_child_leaves_an_event_handle_as_it_is)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);

	standin_start(&standin, standin_answer);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_EVENT, &handle), 0);
	ck_assert_int_eq(ellu_set_close_callback(handle, note_close, NULL), 0);
	request.id = 7;
	ck_assert_int_eq(ellu_get_task_async(handle, &request, NULL, NULL, &op), 0);
	in_a_child(try_event_handle);
	ck_assert_int_eq(ellu_op_wait(op, 30), 1); // its descriptor is still in the epoll
	ck_assert_int_eq(ellu_op_result(op, NULL, NULL), 0);
	ellu_op_free(op);
	handle = ellu_close(handle);
	ck_assert_int_eq(n_closed, 1);
	standin_stop(&standin);
}
END_TEST

static int nothing(void *userdata)
{
	(void) userdata;
	return 0;
}

static int close_handle(void)
{
	return ellu_close(handle) != NULL;
}

/* The threads of the bridge are the parent's: there is nothing to wait for. */
START_TEST(a_child_closes_a_handle_with_threads)
{
	standin_start(&standin, standin_answer);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_EVENT, &handle), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(ellu_run_off_loop(handle, nothing, NULL, NULL, &op), 0);
		ck_assert_int_eq(ellu_op_wait(op, 30), 1);
		ellu_op_free(op);
		if (i == 0)
			in_a_child(close_handle);
	}
	ellu_close(handle);
	standin_stop(&standin);
}
END_TEST

static int try_blocking_handle(void)
{
	const void *reply;

	if (ellu_call_raw(handle, "a.GetInfo", NULL, NULL, NULL) != -ECHILD ||
	    ellu_stream_next(stream, &reply, NULL) != -ECHILD)
		return 1;
	ellu_stream_close(stream);
	ellu_close(handle);
	return 0;
}

START_TEST(a_child_leaves_a_blocking_handle_as_it_is)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	const struct ellu_watch_task_reply *reply;
	int n = 0;

	standin_start(&standin, standin_answer);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_BLOCKING, &handle), 0);
	request.id = 7;
	ck_assert_int_eq(ellu_watch_task_stream(handle, &request, &stream, NULL), 0);
	in_a_child(try_blocking_handle);
	while (ellu_watch_task_next(stream, &reply, NULL) > 0) {
		n++;
		ellu_free(reply);
	}
	ck_assert_int_eq(n, 5);
	ck_assert_int_eq(ellu_call_raw(handle, "a.GetInfo", NULL, NULL, NULL), 0);
	ellu_stream_close(stream);
	ellu_close(handle);
	standin_stop(&standin);
}
END_TEST

int main(void)
{
	return RUN_TESTS(a_child_leaves_an_event_handle_as_it_is,
			 a_child_closes_a_handle_with_threads,
			 a_child_leaves_a_blocking_handle_as_it_is);
}
