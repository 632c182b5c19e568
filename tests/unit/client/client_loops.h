/* What the tests of the three adapters share: calls that come back out of a loop of any kind. */
#pragma once

#include "client/elluminate.h"
#include "tests/unit/client/client_standin.h"
#include "tests/unit/suite.h"

#define LOOPS_CALLS 50

struct loops {
	struct standin standin;
	struct ellu *handle;
	struct ellu_op *hanging;
	int n_told;
	void (*stop)(void *userdata); // ends the loop
	void *userdata;
};

static inline void loops_on_reply(struct ellu_op *op, int result, const void *reply,
				  const struct ellu_error *error, void *userdata)
{
	struct loops *loops = userdata;

	(void) op;
	(void) reply;
	(void) error;
	loops->n_told += result != 1;
	if (loops->n_told < LOOPS_CALLS + 2)
		return;
	loops->handle = ellu_close(loops->handle); // takes it off the loop, in its own callback
	loops->stop(loops->userdata);
}

static inline void loops_on_reply_raw(struct ellu_op *op, int result, const struct ellu_raw_reply *reply,
		     const struct ellu_error *error, void *userdata)
{
	loops_on_reply(op, result, reply, error, userdata);
}

static inline void loops_open(struct loops *loops, void (*stop)(void *userdata), void *userdata)
{
	*loops = (struct loops){ .stop = stop, .userdata = userdata };
	standin_start(&loops->standin, standin_answer);
	ck_assert_int_eq(ellu_open(loops->standin.path, ELLU_EVENT, &loops->handle), 0);
}

/* Short calls, a stream, and one that is cancelled before the loop runs. */
static inline void loops_start(struct loops *loops)
{
	struct ellu_get_task_request get = ELLU_RECORD(struct ellu_get_task_request);
	struct ellu_watch_task_request watch = ELLU_RECORD(struct ellu_watch_task_request);

	get.id = watch.id = 7;
	for (int i = 0; i < LOOPS_CALLS; i++)
		ck_assert_int_eq(ellu_call_method_async(loops->handle, "org.elluminate.GetTask", &get, NULL,
				(ellu_any_fn *) loops_on_reply, loops, NULL),
				 0);
	ck_assert_int_eq(ellu_stream_method_async(loops->handle, "org.elluminate.WatchTask", &watch, NULL,
				(ellu_any_fn *) loops_on_reply, loops,
						      NULL),
			 0);
	ck_assert_int_eq(ellu_call_raw_async(loops->handle, "a.Hang", NULL, loops_on_reply_raw, loops,
					     &loops->hanging),
			 0);
	ellu_op_cancel(loops->hanging);
}

static inline void loops_finish(struct loops *loops)
{
	ck_assert_int_eq(loops->n_told, LOOPS_CALLS + 2);
	ck_assert_ptr_null(loops->handle);
	ellu_op_free(loops->hanging);
	standin_stop(&loops->standin);
}
