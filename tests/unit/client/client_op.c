/* What can be done with operations: wait for many, cancel, gather. */
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

static struct ellu_op *start_hanging(ellu_reply_fn *callback)
{
	struct ellu_op *op;

	ck_assert_int_eq(ellu_call_raw_async(handle, "a.Hang", NULL, NULL, NULL, &op), 0);
	ck_assert_int_eq(ellu_op_set_callback(op, callback, NULL), 0);
	return op;
}

START_TEST(waiting_for_many)
{
	struct ellu_op *ops[6] = { NULL };

	handle_open();
	for (int i = 1; i < 5; i++)
		ops[i] = handle_start_task(i == 3 ? 404 : 7, handle_told);
	ck_assert_int_eq(ellu_op_wait_all(ops, 5, 10), 1);
	ck_assert_int_eq(n_told, 4);
	ck_assert_int_eq(ellu_op_result(ops[3], NULL, NULL), ELLU_E_NOT_FOUND);
	ck_assert_int_eq(ellu_op_result(ops[4], NULL, NULL), 0);
	ops[5] = start_hanging(NULL);
	ck_assert_int_eq(ellu_op_wait_all(ops, 6, 0.02), 0);
	ck_assert_int_eq(ellu_op_wait_any(&ops[5], 1, 0.02), -ETIMEDOUT);
	ck_assert_int_eq(ellu_op_wait_any(ops, 6, 0), 1); // NULL is passed over
	ck_assert_int_eq(ellu_op_wait_any(ops, 1, 10), -ENOENT);
	ellu_op_free(ops[1]);
	ops[0] = start_hanging(NULL);
	ops[1] = handle_start_task(7, NULL);
	ops[2] = ellu_op_free(ops[2]);
	ops[2] = start_hanging(NULL);
	ck_assert_int_eq(ellu_op_wait_any(ops, 3, 10), 1);
	ck_assert_int_eq(ellu_op_wait_all(NULL, 0, 0), 1);
	for (int i = 0; i < 6; i++)
		ellu_op_free(ops[i]);
	handle_close();
}
END_TEST

/* As a loop over what is there would be written: entries that are done with become NULL. */
START_TEST(waiting_for_one_after_the_other)
{
	struct ellu_op *ops[5];
	int found, n = 0;

	handle_open();
	for (int i = 0; i < 5; i++)
		ops[i] = handle_start_task(7, NULL);
	while ((found = ellu_op_wait_any(ops, 5, 10)) >= 0) {
		ck_assert_int_eq(ellu_op_is_done(ops[found]), 1);
		ops[found] = ellu_op_free(ops[found]);
		n++;
	}
	ck_assert_int_eq(found, -ENOENT);
	ck_assert_int_eq(n, 5);
	handle_close();
}
END_TEST

static struct ellu_op *hanging[64];

/* Frees its operation, and starts many that may get its address. */
static void replace(struct ellu_op *op, int result, const void *reply,
		    const struct ellu_error *error, void *userdata)
{
	(void) reply;
	(void) error;
	(void) userdata;
	ck_assert_int_eq(result, 0);
	ellu_op_free(op);
	for (int i = 0; i < 64; i++)
		hanging[i] = start_hanging(NULL);
}

START_TEST(what_begins_meanwhile_is_not_waited_for)
{
	struct ellu_op *op;

	handle_open();
	op = handle_start_task(7, replace);
	ck_assert_int_eq(ellu_op_wait_any(&op, 1, 30), 0);
	for (int i = 0; i < 64; i++)
		ellu_op_free(hanging[i]);
	op = handle_start_task(7, replace);
	ck_assert_int_eq(ellu_op_wait_all(&op, 1, 30), 1);
	for (int i = 0; i < 64; i++)
		ellu_op_free(hanging[i]);
	handle_close();
}
END_TEST

START_TEST(drains_leave_room_for_others)
{
	struct ellu_drain_request drain = ELLU_RECORD(struct ellu_drain_request);
	struct ellu_cancel_task_request cancel = ELLU_RECORD(struct ellu_cancel_task_request);
	struct ellu_op *op;

	handle_open();
	cancel.id = 7;
	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(ellu_drain_async(handle, &drain, NULL, NULL, NULL), 0);
		ck_assert_int_eq(ellu_cancel_task_async(handle, &cancel, NULL, NULL, NULL), 0);
	}
	op = handle_start_task(7, NULL);
	ck_assert_int_eq(ellu_op_wait(op, 30), 1);
	ellu_op_free(op);
	handle_close();
}
END_TEST

START_TEST(cancelling)
{
	const struct ellu_error *error;
	struct ellu_op *op;

	handle_open();
	op = start_hanging(handle_told);
	ck_assert_int_eq(ellu_op_wait(op, 0.01), 0);
	ck_assert_int_eq(ellu_op_cancel(op), 0);
	ck_assert_int_eq(ellu_op_is_done(op), 1);
	ck_assert_int_eq(n_told, 0); // never inside of ellu_op_cancel()
	ck_assert_int_eq(ellu_op_result(op, NULL, &error), -ECANCELED);
	ck_assert_str_eq(error->code, "ECANCELED");
	ellu_free(error);
	ck_assert_uint_eq(ellu_timeout(handle), 0);
	ck_assert_int_eq(ellu_process(handle), 1);
	ck_assert_int_eq(n_told, 1);
	ck_assert_int_eq(last_result, -ECANCELED);
	ck_assert_int_eq(ellu_op_wait(op, 1), -ECANCELED);
	ck_assert_int_eq(ellu_op_cancel(op), 0);
	ck_assert_int_eq(ellu_process(handle), 0);
	ck_assert_int_eq(n_told, 1);
	ck_assert_int_eq(ellu_op_cancel_task(op), -EOPNOTSUPP);
	ellu_op_free(op);
	handle_close();
}
END_TEST

/* The descriptor alone tells a loop all it needs. */
START_TEST(the_descriptor_shows_what_is_due)
{
	struct pollfd poll_fd;
	struct ellu_op *op;

	handle_open();
	poll_fd = (struct pollfd){ .fd = ellu_fd(handle), .events = POLLIN };
	op = start_hanging(handle_told);
	ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
	ellu_op_cancel(op);
	ck_assert_int_eq(poll(&poll_fd, 1, 10000), 1);
	while (ellu_process(handle) > 0)
		;
	ck_assert_int_eq(n_told, 1);
	ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
	ellu_op_free(op);
	handle_close();
}
END_TEST

START_TEST(a_callback_that_comes_later)
{
	struct ellu_op *op;
	int other;

	handle_open();
	op = handle_start_task(7, NULL);
	ck_assert_ptr_eq(ellu_op_userdata(op), &n_told);
	ck_assert_int_eq(ellu_op_wait(op, 10), 1);
	ck_assert_int_eq(ellu_op_set_callback(op, handle_told, &other), 0);
	ck_assert_ptr_eq(ellu_op_userdata(op), &other);
	ck_assert_int_eq(n_told, 0);
	ck_assert_int_eq(ellu_process(handle), 1);
	ck_assert_int_eq(n_told, 1);
	ck_assert_int_eq(ellu_op_set_callback(op, handle_told, NULL), 0); // it knows already
	ck_assert_int_eq(ellu_process(handle), 0);
	ellu_op_free(op);
	op = start_hanging(NULL);
	ellu_op_set_callback(op, handle_told, NULL);
	ellu_op_cancel(op);
	ellu_op_set_callback(op, NULL, NULL);
	ck_assert_int_eq(ellu_process(handle), 0);
	ck_assert_int_eq(n_told, 1);
	ellu_op_free(op);
	handle_close();
}
END_TEST

/* ---- Gathering ---- */

static atomic_int n_inside, n_inside_max;

/* Knows how many calls are with the daemon at a time. */
static int answer_slowly(struct standin *guest, int fd, const char *call)
{
	int inside = ++n_inside;

	while (inside > n_inside_max)
		n_inside_max = inside;
	(void) poll(NULL, 0, 2);
	n_inside--;
	return standin_answer(guest, fd, call);
}

static int start_raw(struct ellu *daemon, size_t index, struct ellu_op **ret_op, void *userdata)
{
	const size_t *failing = userdata;

	if (index == *failing)
		return -E2BIG;
	return ellu_call_raw_async(daemon, "a.GetInfo", index % 3 ? NULL : "{}", NULL,
				   (void *) index, ret_op);
}

START_TEST(gathering)
{
	struct ellu_op *ops[40];
	size_t failing = SIZE_MAX;

	standin_start(&standin, answer_slowly);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_EVENT, &handle), 0);
	ck_assert_int_eq(ellu_gather(handle, 40, 5, start_raw, &failing, 60, ops), 1);
	ck_assert_int_le(n_inside_max, 5);
	ck_assert_int_eq(standin.n_calls, 40);
	for (size_t i = 0; i < 40; i++) {
		ck_assert_ptr_eq(ellu_op_userdata(ops[i]), (void *) i);
		ck_assert_int_eq(ellu_op_result(ops[i], NULL, NULL), 0);
		ellu_op_free(ops[i]);
	}
	failing = 7;
	ck_assert_int_eq(ellu_gather(handle, 40, 0, start_raw, &failing, 60, ops), -E2BIG);
	for (size_t i = 0; i < 40; i++) {
		ck_assert_int_eq(ops[i] != NULL, i < 7);
		ck_assert_int_eq(ellu_op_is_done(ops[i]), i < 7);
		ellu_op_free(ops[i]);
	}
	ck_assert_int_eq(ellu_gather(handle, 0, 0, start_raw, &failing, 0, NULL), 1);
	handle_close();
}
END_TEST

static int start_one_hanging(struct ellu *daemon, size_t index, struct ellu_op **ret_op,
			     void *userdata)
{
	return ellu_call_raw_async(daemon, index == 1 ? "a.Hang" : "a.GetInfo", NULL, NULL, userdata,
				   ret_op);
}

START_TEST(gathering_out_of_time)
{
	struct ellu_op *ops[3];
	int next = 0;

	handle_open();
	/* However slow the machine is, some time is enough for the one that is answered. */
	for (double seconds = 0.05; !next; seconds *= 2) {
		ck_assert_int_eq(ellu_gather(handle, 3, 1, start_one_hanging, NULL, seconds, ops), 0);
		next = ops[1] != NULL;
		ck_assert(!next || ellu_op_is_done(ops[0]));
		ck_assert(!next || !ellu_op_is_done(ops[1]));
		ck_assert_ptr_null(ops[2]);
		ellu_op_free(ops[0]);
		ellu_op_free(ops[1]);
	}
	handle_close();
}
END_TEST

/* ---- In order ---- */

static sem_t go_on;

static struct ellu_op *start_clearing(void)
{
	struct ellu_clear_collection_request request =
		ELLU_RECORD(struct ellu_clear_collection_request);
	struct ellu_ref ref = ELLU_RECORD(struct ellu_ref);
	struct ellu_op *op;

	ref.name = "c";
	request.collection = &ref;
	ck_assert_int_eq(ellu_clear_collection_async(handle, &request, NULL, NULL, &op), 0);
	return op;
}

static int answer_when_told(struct standin *guest, int fd, const char *call)
{
	sem_wait(&go_on);
	return standin_answer(guest, fd, call);
}

static int hang_up_when_told(struct standin *guest, int fd, const char *call)
{
	if (guest->n_connections > 1)
		return standin_answer(guest, fd, call);
	sem_wait(&go_on);
	return -1;
}

static void start_in_order(int (*answer)(struct standin *standin, int fd, const char *call))
{
	sem_init(&go_on, 0, 0);
	standin_start(&standin, answer);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_EVENT, &handle), 0);
	ck_assert_int_eq(ellu_set_in_order(handle, 1), 0);
}

START_TEST(in_order)
{
	struct ellu_op *ops[9];

	start_in_order(answer_when_told);
	for (int i = 0; i < 9; i++)
		ops[i] = handle_start_task(i % 3 == 2 ? 404 : 7, NULL);
	ck_assert_int_eq(ellu_set_in_order(handle, 0), -EBUSY);
	for (int i = 0; i < 9; i++) {
		sem_post(&go_on);
		ck_assert_int_eq(ellu_op_wait_any(ops, 9, 10), i);
		ck_assert_int_eq(ellu_op_result(ops[i], NULL, NULL), i % 3 == 2 ? ELLU_E_NOT_FOUND : 0);
		ops[i] = ellu_op_free(ops[i]);
	}
	ck_assert_int_eq(standin.n_connections, 1);
	ck_assert_int_eq(ellu_set_in_order(handle, 0), 0);
	handle_close();
}
END_TEST

/* Nobody takes its answer: what came behind it is not known, and what is safe is asked again. */
START_TEST(in_order_one_is_cancelled)
{
	struct ellu_op *ops[5];

	start_in_order(answer_when_told);
	ops[0] = start_clearing();
	ops[1] = start_clearing();
	ops[2] = start_clearing();
	ops[3] = handle_start_task(7, NULL);
	ellu_op_cancel(ops[1]);
	ops[4] = handle_start_task(7, NULL); // on a connection of its own, once there is room
	for (int i = 0; i < 16; i++)
		sem_post(&go_on);
	ck_assert_int_eq(ellu_op_wait_all(ops, 5, 10), 1);
	ck_assert_int_eq(ellu_op_result(ops[0], NULL, NULL), ELLU_E_METHOD_NOT_FOUND);
	ck_assert_int_eq(ellu_op_result(ops[1], NULL, NULL), -ECANCELED);
	ck_assert_int_eq(ellu_op_result(ops[2], NULL, NULL), -ECONNRESET);
	ck_assert_int_eq(ellu_op_result(ops[3], NULL, NULL), 0);
	ck_assert_int_eq(ellu_op_result(ops[4], NULL, NULL), 0);
	for (int i = 0; i < 5; i++)
		ellu_op_free(ops[i]);
	handle_close();
}
END_TEST

START_TEST(in_order_and_lost)
{
	struct ellu_op *ops[5];

	start_in_order(hang_up_when_told);
	ops[0] = handle_start_task(7, NULL);
	ops[1] = start_clearing();
	ops[2] = handle_start_task(7, NULL);
	ops[3] = start_clearing();
	ops[4] = handle_start_task(404, NULL); // not sent yet
	sem_post(&go_on);
	ck_assert_int_eq(ellu_op_wait_all(ops, 5, 10), 1);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(ellu_op_result(ops[i], NULL, NULL), i % 2 ? -ECONNRESET : 0);
	ck_assert_int_eq(ellu_op_result(ops[4], NULL, NULL), ELLU_E_NOT_FOUND);
	for (int i = 0; i < 5; i++)
		ellu_op_free(ops[i]);
	handle_close();
}
END_TEST

static int never_answer(struct standin *guest, int fd, const char *call)
{
	(void) guest;
	(void) fd;
	(void) call;
	return 0;
}

static void count_task(struct ellu_op *op, int result, const struct ellu_get_task_reply *reply,
		       const struct ellu_error *error, void *userdata)
{
	handle_told(op, result, reply, error, userdata);
}

/* A limit of the call's own stands over the handle's. */
START_TEST(calls_that_take_too_long)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
	struct ellu_watch_task_request watch = ELLU_RECORD(struct ellu_watch_task_request);
	struct ellu_op *ops[4];
	struct ellu *blocking;

	standin_start(&standin, never_answer);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_EVENT, &handle), 0);
	n_told = 0;
	request.id = watch.id = 7;
	ck_assert_int_eq(ellu_get_task_async(handle, &request, count_task, NULL, &ops[0]), 0);
	ck_assert_int_eq(ellu_set_timeout(handle, 0.01), 0);
	ck_assert_int_eq(ellu_get_task_async(handle, &request, count_task, NULL, &ops[1]), 0);
	ck_assert_int_eq(ellu_watch_task_stream_async(handle, &watch, NULL, NULL, &ops[3]), 0);
	ck_assert_int_eq(ellu_set_timeout(handle, 3600), 0);
	request.call_timeout_seconds = 0.01;
	ck_assert_int_eq(ellu_get_task_async(handle, &request, count_task, NULL, &ops[2]), 0);
	ck_assert_int_eq(ellu_op_wait(ops[2], 30), 1);
	ck_assert_int_eq(ellu_op_result(ops[2], NULL, NULL), -ETIMEDOUT);
	ck_assert_int_eq(ellu_op_wait(ops[1], 30), 1);
	ck_assert_int_eq(ellu_op_result(ops[1], NULL, NULL), -ETIMEDOUT);
	ck_assert_int_eq(n_told, 2);
	ck_assert_int_eq(last_result, -ETIMEDOUT);
	ck_assert_uint_eq(ellu_timeout(handle), UINT64_MAX);
	/* Neither what began before, nor what follows events. */
	ck_assert_int_eq(ellu_op_is_done(ops[0]), 0);
	ck_assert_int_eq(ellu_op_is_done(ops[3]), 0);
	request.call_timeout_seconds = -1;
	ck_assert_int_eq(ellu_get_task_async(handle, &request, NULL, NULL, NULL), -EINVAL);
	for (int i = 0; i < 4; i++)
		ellu_op_free(ops[i]);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_BLOCKING, &blocking), 0);
	request.call_timeout_seconds = 0.01;
	ck_assert_int_eq(ellu_get_task(blocking, &request, NULL, NULL), -ETIMEDOUT);
	ellu_close(blocking);
	handle_close();
}
END_TEST

int main(void)
{
	return RUN_TESTS(waiting_for_many, waiting_for_one_after_the_other,
			 what_begins_meanwhile_is_not_waited_for,
			 drains_leave_room_for_others, cancelling, the_descriptor_shows_what_is_due,
			 a_callback_that_comes_later, gathering, gathering_out_of_time, in_order,
			 in_order_one_is_cancelled, in_order_and_lost, calls_that_take_too_long);
}
