/*
 * Every allocation in turn fails: an error code, and nothing lost. The allocator stands before the
 * C library's for the whole process; it counts, and fails, for the thread under test alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/elluminate.h"
#include "tests/unit/client/client_standin.h"
#include "tests/unit/suite.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *memory);

/* Seen by every library. */
#define INTERPOSED __attribute__((visibility("default")))

static _Thread_local long fail_in; // the allocation that fails, counted down; 0: none
static _Thread_local long n_live;

static int must_fail(void)
{
	return fail_in > 0 && --fail_in == 0;
}

static void *count(void *memory)
{
	n_live += memory != NULL;
	return memory;
}

INTERPOSED void *malloc(size_t size)
{
	if (must_fail()) {
		errno = ENOMEM;
		return NULL;
	}
	return count(__libc_malloc(size));
}

INTERPOSED void *calloc(size_t n, size_t size)
{
	if (must_fail()) {
		errno = ENOMEM;
		return NULL;
	}
	return count(__libc_calloc(n, size));
}

INTERPOSED void *realloc(void *old, size_t size)
{
	void *memory;

	if (must_fail()) {
		errno = ENOMEM;
		return NULL;
	}
	memory = __libc_realloc(old, size);
	if (!old)
		(void) count(memory);
	return memory;
}

INTERPOSED void free(void *memory)
{
	n_live -= memory != NULL;
	__libc_free(memory);
}

/* ---- What runs out of it ---- */

static struct standin standin;

static int note(int *worst, int r)
{
	if (r < 0 && *worst == 0)
		*worst = r;
	return r;
}

static int blocking_calls(void)
{
	struct ellu_get_task_request get = ELLU_RECORD(struct ellu_get_task_request);
	struct ellu_watch_task_request watch = ELLU_RECORD(struct ellu_watch_task_request);
	const struct ellu_error *error = NULL;
	const struct ellu_get_task_reply *task;
	const struct ellu_raw_reply *raw;
	struct ellu_stream *stream;
	struct ellu *handle;
	const void *reply;
	int worst = 0, r;

	if (note(&worst, ellu_open(standin.path, ELLU_BLOCKING, &handle)) < 0)
		return worst;
	get.id = watch.id = 7;
	if (note(&worst, ellu_get_task(handle, &get, &task, &error)) == 0)
		ellu_free(task);
	ellu_free(error);
	if (note(&worst, ellu_call_raw(handle, "a.GetInfo", "{\"a\":[1,\"b\"]}", &raw, &error)) == 0)
		ellu_free(raw);
	ellu_free(error);
	get.id = 404;
	r = ellu_get_task(handle, &get, NULL, &error);
	if (r != ELLU_E_NOT_FOUND)
		note(&worst, r);
	ellu_free(error);
	if (note(&worst, ellu_watch_task_stream(handle, &watch, &stream, NULL)) == 0) {
		note(&worst, ellu_stream_wait(stream, -1));
		while ((r = note(&worst, ellu_stream_next(stream, &reply, &error))) > 0)
			ellu_free(reply);
		ellu_free(error);
		ellu_stream_close(stream);
	}
	ellu_close(handle);
	return worst;
}

static void on_reply(struct ellu_op *op, int result, const void *reply,
		     const struct ellu_error *error, void *userdata)
{
	(void) op;
	(void) error;
	if ((result >= 0) != (reply != NULL))
		note(userdata, -EPROTO);
	note(userdata, result == ELLU_E_NOT_FOUND ? 0 : result);
}

static int start_one(struct ellu *handle, size_t index, struct ellu_op **ret_op, void *userdata)
{
	struct ellu_watch_task_request watch = ELLU_RECORD(struct ellu_watch_task_request);
	struct ellu_get_task_request get = ELLU_RECORD(struct ellu_get_task_request);

	watch.id = 7;
	get.id = index % 2 ? 7 : 404;
	if (index == 2)
		return ellu_stream_method_async(handle, "org.elluminate.WatchTask", &watch, NULL,
				(ellu_any_fn *) on_reply, userdata, ret_op);
	return ellu_call_method_async(handle, "org.elluminate.GetTask", &get, NULL,
				(ellu_any_fn *) on_reply, userdata, ret_op);
}

static int event_calls(void)
{
	const struct ellu_error *error = NULL;
	struct ellu_op *ops[6] = { NULL };
	struct ellu *handle;
	int worst = 0;

	if (note(&worst, ellu_open(standin.path, ELLU_EVENT, &handle)) < 0)
		return worst;
	note(&worst, ellu_gather(handle, 6, 4, start_one, &worst, 30, ops));
	for (int i = 0; i < 6; i++)
		ellu_op_free(ops[i]);
	if (note(&worst, ellu_call_raw_async(handle, "a.Hang", NULL, NULL, NULL, &ops[0])) == 0) {
		ellu_op_cancel(ops[0]);
		ellu_op_free(ops[0]);
	}
	/* Nobody runs the loop: it is too late at once. */
	note(&worst, ellu_await(handle, start_one, &worst, 0, NULL, &error) == -ENOMEM ? -ENOMEM : 0);
	ellu_free(error);
	while (ellu_process(handle) > 0)
		;
	ellu_close(handle);
	return worst;
}

static void run_out_of_memory(int (*run)(void))
{
	long before, after, left, n = 0, n_told = 0;
	int r;

	standin_start(&standin, standin_answer);
	ck_assert_int_eq(run(), 0); // what is made once and kept
	standin_stop(&standin);
	do {
		standin_start(&standin, standin_answer);
		before = n_live;
		fail_in = ++n;
		r = run();
		left = fail_in;
		fail_in = 0;
		after = n_live;
		standin_stop(&standin);
		ck_assert_msg(after == before, "failing the allocation %ld loses %ld pieces", n,
			      after - before);
		n_told += left == 0 && r < 0;
	} while (left == 0);
	ck_assert_int_eq(r, 0);
	/* The C library makes do without a few. */
	ck_assert_msg(n > 100 && n_told > 9 * n / 10, "%ld of %ld failures were told", n_told, n - 1);
}

START_TEST(blocking)
{
	run_out_of_memory(blocking_calls);
}
END_TEST

START_TEST(event_driven)
{
	run_out_of_memory(event_calls);
}
END_TEST

int main(void)
{
	return RUN_TESTS(blocking, event_driven);
}
