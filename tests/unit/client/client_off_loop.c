/* What crosses to other threads: functions that run off the loop, and those who wait there for answers. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "client/elluminate.h"
#include "tests/unit/client/client_handle.h"
#include "tests/unit/suite.h"

static sem_t go_on;

static int wait_for_go(void *userdata)
{
	sem_wait(&go_on);
	return *(int *) userdata;
}

START_TEST(off_the_loop)
{
	static int results[12];
	struct ellu_op *ops[12];

	sem_init(&go_on, 0, 0);
	handle_open();
	for (int i = 0; i < 12; i++) {
		results[i] = -i;
		ck_assert_int_eq(ellu_run_off_loop(handle, wait_for_go, handle_told, &results[i], &ops[i]),
				 0);
	}
	ck_assert_int_eq(ellu_op_wait(ops[0], 0.01), 0);
	ck_assert_int_eq(ellu_op_cancel(ops[11]), 0); // it waits for a thread
	ops[1] = ellu_op_free(ops[1]); // it runs, and goes on unseen
	for (int i = 0; i < 12; i++)
		sem_post(&go_on);
	ck_assert_int_eq(ellu_op_wait_all(ops, 12, 10), 1);
	for (int i = 0; i < 12; i++)
		if (i != 1 && i != 11)
			ck_assert_int_eq(ellu_op_result(ops[i], NULL, NULL), -i);
	while (ellu_process(handle) > 0)
		;
	ck_assert_int_eq(n_told, 11);
	for (int i = 0; i < 12; i++)
		ellu_op_free(ops[i]);
	handle_close();
	sem_destroy(&go_on);
}
END_TEST

/* Without memory for a thread what waits for one fails, once there is none that would start it. */
START_TEST(off_the_loop_without_threads)
{
	static int nothing;
	struct ellu_op *ops[4], *none = NULL;
	pthread_attr_t before, huge;

	sem_init(&go_on, 0, 0);
	handle_open();
	ops[1] = handle_start_task(7, NULL); // the other side has its thread when it answers
	ck_assert_int_eq(ellu_op_wait(ops[1], 10), 1);
	ellu_op_free(ops[1]);
	ck_assert_int_eq(ellu_run_off_loop(handle, wait_for_go, handle_told, &nothing, &ops[0]), 0);
	ck_assert_int_eq(pthread_getattr_default_np(&before), 0);
	ck_assert_int_eq(pthread_attr_init(&huge), 0);
	ck_assert_int_eq(pthread_attr_setstacksize(&huge, (size_t) 1 << 48), 0);
	ck_assert_int_eq(pthread_setattr_default_np(&huge), 0);
	for (int i = 1; i < 4; i++)
		ck_assert_int_eq(ellu_run_off_loop(handle, wait_for_go, handle_told, &nothing, &ops[i]), 0);
	sem_post(&go_on);
	ck_assert_int_eq(ellu_op_wait_all(ops, 4, 10), 1);
	ck_assert_int_eq(ellu_op_result(ops[0], NULL, NULL), 0);
	for (int i = 1; i < 4; i++)
		ck_assert_int_eq(ellu_op_result(ops[i], NULL, NULL), -EAGAIN);
	ck_assert_int_eq(ellu_run_off_loop(handle, wait_for_go, handle_told, &nothing, &none), -EAGAIN);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(pthread_setattr_default_np(&before), 0);
	for (int i = 0; i < 4; i++)
		ellu_op_free(ops[i]);
	handle_close();
	pthread_attr_destroy(&huge);
	pthread_attr_destroy(&before);
	sem_destroy(&go_on);
}
END_TEST

static int close_from_inside(void *userdata)
{
	(void) userdata;
	return ellu_close(handle) == handle ? -EBUSY : 0;
}

START_TEST(closing_while_functions_run)
{
	static int nothing;
	struct ellu_op *op, *late[20];

	sem_init(&go_on, 0, 0);
	handle_open();
	ck_assert_int_eq(ellu_run_off_loop(handle, close_from_inside, NULL, NULL, &op), 0);
	ck_assert_int_eq(ellu_op_wait(op, 10), 1);
	ck_assert_int_eq(ellu_op_result(op, NULL, NULL), -EBUSY);
	ellu_op_free(op);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(ellu_run_off_loop(handle, wait_for_go, handle_told, &nothing, &late[i]), 0);
	for (int i = 0; i < 20; i++)
		sem_post(&go_on);
	handle_close(); // waits for those that run, and leaves out the others
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(ellu_op_is_done(late[i]), 1);
		ellu_op_free(late[i]);
	}
	ck_assert_int_eq(n_told, 0);
	sem_destroy(&go_on);
}
END_TEST

static int start_any(struct ellu *daemon, size_t index, struct ellu_op **ret_op, void *userdata)
{
	const char *method = userdata;

	ck_assert_uint_eq(index, 0);
	if (!method)
		return -EILSEQ;
	return ellu_call_raw_async(daemon, method, NULL, NULL, NULL, ret_op);
}

static int await_answers(void *userdata)
{
	const struct ellu_raw_reply *reply;
	const struct ellu_error *error;
	int r;

	(void) userdata;
	for (int i = 0; i < 20; i++) {
		r = ellu_await(handle, start_any, "a.GetInfo", 10, (const void **) &reply, &error);
		if (r != 0 || error || !strstr(reply->parameters, "vendor"))
			return -EPROTO;
		ellu_free(reply);
	}
	r = ellu_await(handle, start_any, "a.Unknown", 10, NULL, &error);
	if (r != ELLU_E_METHOD_NOT_FOUND || strcmp(error->code, "MethodNotFound") != 0)
		return -EPROTO;
	ellu_free(error);
	r = ellu_await(handle, start_any, "a.Hang", 0.02, NULL, &error);
	if (r != -ETIMEDOUT || strcmp(error->code, "ETIMEDOUT") != 0)
		return -EPROTO;
	ellu_free(error);
	return ellu_await(handle, start_any, NULL, 10, NULL, NULL) == -EILSEQ ? 0 : -EPROTO;
}

static atomic_int n_starts;

static int count_start(struct ellu *daemon, size_t index, struct ellu_op **ret_op, void *userdata)
{
	n_starts++;
	return start_any(daemon, index, ret_op, userdata);
}

static void *await_in_vain(void *userdata)
{
	char method[] = "a.GetInfo"; // gone when this returns

	(void) userdata;
	return (void *) (intptr_t) ellu_await(handle, count_start, method, 0.01, NULL, NULL);
}

/* Nobody ran the loop in time; when somebody does, what `start` would use is gone. */
START_TEST(what_was_awaited_too_late_is_not_started)
{
	pthread_t thread;
	void *result;

	handle_open();
	ck_assert_int_eq(pthread_create(&thread, NULL, await_in_vain, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_int_eq((intptr_t) result, -ETIMEDOUT);
	while (ellu_process(handle) > 0)
		;
	ck_assert_int_eq(n_starts, 0);
	/* The thread that opened the handle may not be the one of the loop: nothing is driven. */
	ck_assert_ptr_eq(await_in_vain(NULL), (void *) (intptr_t) -ETIMEDOUT);
	ck_assert_int_eq(n_starts, 0);
	while (ellu_process(handle) > 0)
		;
	ck_assert_int_eq(n_starts, 0);
	handle_close();
}
END_TEST

static void await_in_callback(struct ellu_op *op, int result, const void *reply,
			      const struct ellu_error *error, void *userdata)
{
	struct ellu_op *none;

	(void) op;
	(void) reply;
	(void) error;
	(void) userdata;
	ck_assert_int_eq(result, 0);
	ck_assert_int_eq(ellu_await(handle, start_any, "a.GetInfo", 10, NULL, NULL), -EDEADLK);
	ck_assert_int_eq(ellu_gather(handle, 1, 1, start_any, "a.GetInfo", 10, &none), -EDEADLK);
	ck_assert_int_eq(ellu_process(handle), -EDEADLK);
	n_told++;
}

START_TEST(awaiting_from_other_threads)
{
	struct ellu_op *ops[9];

	handle_open();
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(ellu_run_off_loop(handle, await_answers, NULL, NULL, &ops[i]), 0);
	ops[8] = handle_start_task(7, await_in_callback);
	ck_assert_int_eq(ellu_op_wait_all(ops, 9, 30), 1);
	for (int i = 0; i < 9; i++) {
		ck_assert_int_eq(ellu_op_result(ops[i], NULL, NULL), 0);
		ellu_op_free(ops[i]);
	}
	ck_assert_int_eq(n_told, 1);
	handle_close();
}
END_TEST

static int off_loop_result;

static int await_for_long(void *userdata)
{
	sigset_t mask;

	(void) userdata;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	ck_assert_int_eq(sigismember(&mask, SIGINT), 1); // left to the program's own threads
	off_loop_result = ellu_await(handle, start_any, "a.Hang", 1000, NULL, NULL);
	return 0;
}

START_TEST(closing_ends_functions_that_wait_for_the_loop)
{
	handle_open();
	ck_assert_int_eq(ellu_run_off_loop(handle, await_for_long, handle_told, NULL, NULL), 0);
	while (standin.n_calls == 0) {
		(void) ellu_process(handle);
		(void) poll(NULL, 0, 1);
	}
	handle_close();
	ck_assert_int_eq(off_loop_result, -ECANCELED);
	ck_assert_int_eq(n_told, 0);
}
END_TEST

static void *await_forever(void *userdata)
{
	(void) userdata;
	return (void *) (intptr_t) ellu_await(handle, start_any, "a.Hang", 1000, NULL, NULL);
}

START_TEST(closing_ends_those_who_wait)
{
	pthread_t thread;
	void *result;

	handle_open();
	ck_assert_int_eq(pthread_create(&thread, NULL, await_forever, NULL), 0);
	while (standin.n_calls == 0) {
		(void) ellu_process(handle);
		(void) poll(NULL, 0, 1);
	}
	ellu_close(handle);
	pthread_join(thread, &result);
	ck_assert_int_eq((intptr_t) result, -ECANCELED);
	standin_stop(&standin);
}
END_TEST

int main(void)
{
	return RUN_TESTS(off_the_loop, off_the_loop_without_threads, closing_while_functions_run,
			 what_was_awaited_too_late_is_not_started, awaiting_from_other_threads,
			 closing_ends_functions_that_wait_for_the_loop,
			 closing_ends_those_who_wait);
}
