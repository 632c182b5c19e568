/*
 * Blocking code waits for an operation that the loop's thread starts for it. What both share is
 * counted: whoever leaves last frees it. The waiting side reads what is under the lock alone; all
 * else belongs to the loop's thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "client/operations/op.h"
#include "client/operations/result.h"

struct await {
	struct post begin; // start the operation
	struct post cancel; // the waiting side has left
	pthread_mutex_t lock;
	pthread_cond_t news;
	unsigned references; // under the lock
	bool starting; // `start` runs, with the waiting side's userdata
	bool left; // the waiting side has gone: its userdata is not to be used
	bool done;
	int result;
	const void *reply;
	const struct ellu_error *error;

	ellu_start_fn *start;
	void *userdata;
	struct ellu_op *op; // of the loop's thread
};

static void await_unref(struct await *await)
{
	unsigned left;

	pthread_mutex_lock(&await->lock);
	left = --await->references;
	pthread_mutex_unlock(&await->lock);
	if (left > 0)
		return;
	ellu_free(await->reply);
	ellu_free(await->error);
	pthread_cond_destroy(&await->news);
	pthread_mutex_destroy(&await->lock);
	free(await);
}

/* The loop's thread has its answer, and leaves. */
static void finish(struct await *await, int result, const void *reply,
		   const struct ellu_error *error)
{
	pthread_mutex_lock(&await->lock);
	await->done = true;
	await->result = result;
	await->reply = ellu_keep(reply);
	await->error = ellu_keep(error);
	pthread_cond_signal(&await->news);
	pthread_mutex_unlock(&await->lock);
	await_unref(await);
}

static void on_end(struct ellu_op *op, void *userdata)
{
	struct await *await = userdata;

	await->op = NULL;
	finish(await, op->outcome.result, op->outcome.reply, op->outcome.error);
	op->on_end = NULL;
}

/* -ECANCELED when it is too late: what `userdata` points to may lie in a function that returned. */
static int call_start(struct await *await, struct ellu *handle, struct ellu_op **ret_op)
{
	int r;

	pthread_mutex_lock(&await->lock);
	await->starting = !await->left;
	pthread_mutex_unlock(&await->lock);
	if (!await->starting)
		return -ECANCELED;
	r = await->start(handle, 0, ret_op, await->userdata);
	pthread_mutex_lock(&await->lock);
	await->starting = false;
	pthread_cond_signal(&await->news);
	pthread_mutex_unlock(&await->lock);
	return r;
}

static void begin(struct post *post, struct ellu *handle, bool closed)
{
	struct await *await = (struct await *) ((char *) post - offsetof(struct await, begin));
	struct ellu_op *op = NULL;
	int r = closed ? -ECANCELED : call_start(await, handle, &op);

	if (r < 0 || !op_is_live(op)) {
		finish(await, r < 0 ? r : 0, NULL, NULL);
		return;
	}
	if (op->state == OP_ENDED) {
		finish(await, op->outcome.result, op->outcome.reply, op->outcome.error);
	} else {
		await->op = op;
		op->on_end = on_end;
		op->on_end_userdata = await;
	}
	op_leave(op); // it ends without its caller
}

static void cancel(struct post *post, struct ellu *handle, bool closed)
{
	struct await *await = (struct await *) ((char *) post - offsetof(struct await, cancel));

	(void) handle;
	if (await->op && !closed) {
		await->op->silent = true;
		(void) ellu_op_cancel(await->op);
	}
	await_unref(await);
}

static struct await *await_new(ellu_start_fn *start, void *userdata)
{
	struct await *await = calloc(1, sizeof(*await));
	pthread_condattr_t attributes;

	if (!await)
		return NULL;
	await->begin.run = begin;
	await->cancel.run = cancel;
	await->start = start;
	await->userdata = userdata;
	await->references = 2;
	pthread_mutex_init(&await->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&await->news, &attributes);
	pthread_condattr_destroy(&attributes);
	return await;
}

static bool wait_done(struct await *await, uint64_t deadline_usec)
{
	struct timespec deadline = { .tv_sec = (time_t) (deadline_usec / 1000000),
				     .tv_nsec = (long) (deadline_usec % 1000000) * 1000 };
	bool done;
	int r = 0;

	pthread_mutex_lock(&await->lock);
	while (!await->done && r == 0)
		r = pthread_cond_timedwait(&await->news, &await->lock, &deadline);
	while (await->starting)
		pthread_cond_wait(&await->news, &await->lock);
	await->left = true;
	if (!await->done)
		await->references++; // of `cancel`
	done = await->done;
	pthread_mutex_unlock(&await->lock);
	return done;
}

static int answer(int result, const void *reply, const struct ellu_error *error,
		  const void **ret_reply, const struct ellu_error **ret_error)
{
	if (result >= 0) {
		if (ret_reply)
			*ret_reply = ellu_keep(reply);
		return 0;
	}
	if (ret_error)
		*ret_error = error ? ellu_keep(error) : result_errno(result, NULL);
	return result;
}

int ellu_await(struct ellu *handle, ellu_start_fn *start, void *userdata, double timeout_seconds,
	       const void **ret_reply, const struct ellu_error **ret_error)
{
	struct await *await;
	uint64_t usec;
	int r = handle_check(handle, ELLU_EVENT);

	if (ret_reply)
		*ret_reply = NULL;
	if (ret_error)
		*ret_error = NULL;
	if (r == 0 && (!start || handle_duration(timeout_seconds, &usec) < 0))
		r = -EINVAL;
	if (r == 0 && handle_is_processing(handle))
		r = -EDEADLK;
	await = r == 0 ? await_new(start, userdata) : NULL;
	if (r < 0 || !await)
		return answer(r < 0 ? r : -ENOMEM, NULL, NULL, ret_reply, ret_error);
	handle_ref(handle);
	handle_post(handle, &await->begin);
	if (wait_done(await, now_usec() + usec)) {
		r = answer(await->result, await->reply, await->error, ret_reply, ret_error);
	} else {
		handle_post(handle, &await->cancel);
		r = answer(-ETIMEDOUT, NULL, NULL, ret_reply, ret_error);
	}
	await_unref(await);
	handle_unref(handle);
	return r;
}
