/*
 * Blocking code waits for an operation that the loop's thread starts for it. What both share is
 * counted: whoever leaves last frees it. The waiting side reads what is under the lock alone; all
 * else belongs to the loop's thread.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "client/operations/op.h"
#include "client/operations/result.h"

struct await {
	struct post post; // to start the operation, then to cancel it
	ellu_start_fn *start;
	void *userdata;
	struct ellu_op *op; // while it runs
	struct op_wait wait; // for it

	pthread_mutex_t lock;
	pthread_cond_t news;
	unsigned references;
	enum {
		AWAIT_POSTED,
		AWAIT_STARTING, // `start` runs, with the waiting side's userdata
		AWAIT_RUNNING,
		AWAIT_DONE,
	} state;
	bool left; // the waiting side has gone: its userdata is not to be used
	struct outcome outcome;
};

static void await_unref(struct await *await)
{
	unsigned left;

	pthread_mutex_lock(&await->lock);
	left = --await->references;
	pthread_mutex_unlock(&await->lock);
	if (left > 0)
		return;
	outcome_done(&await->outcome);
	pthread_cond_destroy(&await->news);
	pthread_mutex_destroy(&await->lock);
	free(await);
}

/* ---- The loop's thread ---- */

/* -ECANCELED: the waiting side has left. */
static int set_state(struct await *await, int state)
{
	int r = 0;

	pthread_mutex_lock(&await->lock);
	if (state == AWAIT_STARTING && await->left)
		r = -ECANCELED;
	else
		await->state = state;
	pthread_cond_signal(&await->news);
	pthread_mutex_unlock(&await->lock);
	return r;
}

static void finish(struct await *await, const struct outcome *outcome)
{
	await->outcome = *outcome;
	ellu_keep(outcome->reply);
	ellu_keep(outcome->error);
	(void) set_state(await, AWAIT_DONE);
	await_unref(await);
}

static void on_end(struct op_wait *wait)
{
	struct await *await = (struct await *) ((char *) wait - offsetof(struct await, wait));
	const struct ellu_op *op = await->op;

	await->op = NULL;
	finish(await, &op->outcome);
}

static void begin(struct post *post, struct ellu *handle, bool closed)
{
	struct await *await = (struct await *) post;
	struct ellu_op *op = NULL;
	int r = closed ? -ECANCELED : set_state(await, AWAIT_STARTING);

	if (r == 0)
		r = await->start(handle, 0, &op, await->userdata);
	if (r < 0 || !op_is_live(op)) {
		finish(await, &(struct outcome){ .result = r < 0 ? r : 0 });
		return;
	}
	if (op->state == OP_ENDED) {
		finish(await, &op->outcome);
	} else {
		await->op = op;
		op->wait = &await->wait;
		(void) set_state(await, AWAIT_RUNNING);
	}
	op_leave(op); // it ends without its caller
}

static void cancel(struct post *post, struct ellu *handle, bool closed)
{
	struct await *await = (struct await *) post;

	(void) handle;
	if (await->op && !closed) {
		await->op->silent = true;
		(void) ellu_op_cancel(await->op);
	}
	await_unref(await);
}

/* ---- The waiting side ---- */

static struct await *await_new(ellu_start_fn *start, void *userdata)
{
	struct await *await = calloc(1, sizeof(*await));
	pthread_condattr_t attributes;

	if (!await)
		return NULL;
	await->post.run = begin;
	await->start = start;
	await->userdata = userdata;
	await->wait.on_end = on_end;
	await->references = 2;
	pthread_mutex_init(&await->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&await->news, &attributes);
	pthread_condattr_destroy(&attributes);
	return await;
}

/* Until the operation has ended: true; else it is left to the loop's thread. */
static bool wait_for(struct await *await, struct ellu *handle, uint64_t deadline_usec)
{
	const struct timespec deadline = timespec_of(deadline_usec);
	bool is_done, is_running;
	int r = 0;

	pthread_mutex_lock(&await->lock);
	while (await->state != AWAIT_DONE && r == 0)
		r = pthread_cond_timedwait(&await->news, &await->lock, &deadline);
	while (await->state == AWAIT_STARTING)
		pthread_cond_wait(&await->news, &await->lock);
	await->left = true;
	is_done = await->state == AWAIT_DONE;
	is_running = await->state == AWAIT_RUNNING;
	await->references += is_running; // of the post
	pthread_mutex_unlock(&await->lock);
	if (is_running) {
		await->post.run = cancel;
		handle_post(handle, &await->post);
	}
	return is_done;
}

int ellu_await(struct ellu *handle, ellu_start_fn *start, void *userdata, double timeout_seconds,
	       const void **ret_reply, const struct ellu_error **ret_error)
{
	const struct outcome late = { .result = -ETIMEDOUT };
	struct await *await = NULL;
	struct outcome outcome;
	uint64_t deadline_usec;
	int r = handle_check(handle, ELLU_EVENT);

	if (ret_reply)
		*ret_reply = NULL;
	if (ret_error)
		*ret_error = NULL;
	if (r == 0 && (!start || handle_deadline(timeout_seconds, &deadline_usec) < 0))
		r = -EINVAL;
	if (r == 0 && handle_is_processing(handle))
		r = -EDEADLK;
	if (r == 0 && !(await = await_new(start, userdata)))
		r = -ENOMEM;
	if (r < 0)
		return result_fail(r, NULL, ret_error);
	handle_ref(handle);
	handle_post(handle, &await->post);
	outcome = wait_for(await, handle, deadline_usec) ? await->outcome : late;
	if (outcome.result >= 0 && ret_reply)
		*ret_reply = ellu_keep(outcome.reply);
	else if (outcome.result < 0 && outcome.error && ret_error)
		*ret_error = ellu_keep(outcome.error);
	else if (outcome.result < 0)
		(void) result_fail(outcome.result, NULL, ret_error);
	await_unref(await);
	handle_unref(handle);
	return outcome.result < 0 ? outcome.result : 0;
}
