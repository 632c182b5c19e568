/*
 * Waiting for operations where there is no loop: the handle is processed until enough of them have
 * ended. Any of them may be freed by a callback on the way, so none is touched before it is known
 * to be there still.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "client/live.h"
#include "client/op.h"

/* The array is the caller's, who may well free entries of it in callbacks: those have ended. */
static bool has_ended(const struct ellu_op *op)
{
	return !op_is_live(op) || op->state == OP_ENDED;
}

static uint64_t deadline_of(double timeout_seconds)
{
	uint64_t usec;

	return handle_duration(timeout_seconds, &usec) < 0 ? 0 : handle_now() + usec;
}

/* Until the handle has something to do. Its descriptor shows what is due by itself too. */
static int wait_for_news(struct ellu *handle, uint64_t deadline_usec)
{
	struct pollfd poll_fd = { .fd = handle->epoll, .events = POLLIN };
	uint64_t now = handle_now(), left = deadline_usec > now ? deadline_usec - now : 0;
	struct timespec timeout = { .tv_sec = (time_t) (left / 1000000),
				    .tv_nsec = (long) (left % 1000000) * 1000 };

	return ppoll(&poll_fd, 1, &timeout, NULL) < 0 && errno != EINTR ? -errno : 0;
}

/* One turn. 1: something may have happened, 0: the time passed, -ECANCELED: the handle is closed. */
static int turn(struct ellu *handle, uint64_t deadline_usec)
{
	int r = live_is(handle, LIVE_HANDLE) ? ellu_process(handle) : -ECANCELED;

	if (r != 0)
		return r;
	if (handle_now() >= deadline_usec)
		return 0;
	r = wait_for_news(handle, deadline_usec);
	return r < 0 ? r : 1;
}

/* What all of them have in common; NULL when none is outstanding. */
static int find_handle(struct ellu_op *const *ops, size_t n_ops, struct ellu **ret_handle)
{
	struct ellu *handle = NULL;

	for (size_t i = 0; i < n_ops; i++) {
		if (!ops[i])
			continue;
		if (!op_is_live(ops[i]))
			return -EINVAL;
		if (ops[i]->state == OP_ENDED)
			continue;
		if (handle && ops[i]->handle != handle)
			return -EINVAL;
		handle = ops[i]->handle;
	}
	*ret_handle = handle;
	return 0;
}

static int check(struct ellu_op *const *ops, size_t n_ops, double timeout_seconds,
		 struct ellu **ret_handle)
{
	uint64_t usec;

	if ((!ops && n_ops > 0) || handle_duration(timeout_seconds, &usec) < 0)
		return -EINVAL;
	return find_handle(ops, n_ops, ret_handle);
}

int ellu_op_wait_all(struct ellu_op *const *ops, size_t n_ops, double timeout_seconds)
{
	uint64_t deadline = deadline_of(timeout_seconds);
	struct ellu *handle;
	size_t n_ended = 0;
	int r = check(ops, n_ops, timeout_seconds, &handle);

	if (r < 0)
		return r;
	for (;;) {
		while (n_ended < n_ops && has_ended(ops[n_ended]))
			n_ended++;
		if (n_ended == n_ops)
			return 1;
		r = turn(handle, deadline);
		if (r == -ECANCELED)
			return 1; // all have ended with it
		if (r <= 0)
			return r;
	}
}

static int find_ended(struct ellu_op *const *ops, size_t n_ops)
{
	for (size_t i = 0; i < n_ops; i++)
		if (has_ended(ops[i]))
			return (int) i;
	return -ETIMEDOUT;
}

int ellu_op_wait_any(struct ellu_op *const *ops, size_t n_ops, double timeout_seconds)
{
	uint64_t deadline = deadline_of(timeout_seconds), n_ended;
	struct ellu *handle;
	int r = check(ops, n_ops, timeout_seconds, &handle);

	if (r < 0 || n_ops == 0)
		return r < 0 ? r : -EINVAL;
	r = find_ended(ops, n_ops);
	while (r == -ETIMEDOUT) {
		n_ended = handle->n_ended;
		r = turn(handle, deadline);
		if (r == 0)
			return -ETIMEDOUT;
		if (r == -ECANCELED || (r > 0 && handle->n_ended != n_ended))
			r = find_ended(ops, n_ops);
		else if (r > 0)
			r = -ETIMEDOUT;
	}
	return r;
}

int ellu_op_wait(struct ellu_op *op, double timeout_seconds)
{
	int r = op ? ellu_op_wait_all(&op, 1, timeout_seconds) : -EINVAL;

	if (r == 1 && op_is_live(op) && op->outcome.result == -ECANCELED)
		return -ECANCELED;
	return r;
}

/* ---- Many at a time ---- */

struct gather {
	struct ellu *handle;
	struct ellu_op **ops;
	size_t n;
	size_t limit;
	size_t n_started;
	size_t n_outstanding;
	uint64_t n_ended_seen; // of the handle
	ellu_start_fn *start;
	void *userdata;
};

static int start_more(struct gather *gather)
{
	while (gather->n_started < gather->n && gather->n_outstanding < gather->limit) {
		struct ellu_op **op = &gather->ops[gather->n_started];
		int r = gather->start(gather->handle, gather->n_started, op, gather->userdata);

		if (r < 0) {
			*op = NULL;
			return r;
		}
		gather->n_started++;
		gather->n_outstanding += !has_ended(*op);
	}
	return 0;
}

static void count(struct gather *gather)
{
	if (gather->n_ended_seen == gather->handle->n_ended)
		return;
	gather->n_ended_seen = gather->handle->n_ended;
	gather->n_outstanding = 0;
	for (size_t i = 0; i < gather->n_started; i++)
		gather->n_outstanding += !has_ended(gather->ops[i]);
}

static int gather_all(struct gather *gather, uint64_t deadline)
{
	int failed = 0, r;

	for (;;) {
		count(gather);
		if (failed == 0)
			failed = start_more(gather);
		if (gather->n_outstanding == 0 && (failed < 0 || gather->n_started == gather->n))
			return failed < 0 ? failed : 1;
		r = turn(gather->handle, deadline);
		if (r <= 0)
			return r;
	}
}

int ellu_gather(struct ellu *handle, size_t n, size_t limit, ellu_start_fn *start, void *userdata,
		double timeout_seconds, struct ellu_op **ret_ops)
{
	struct gather gather = { .handle = handle,
				 .ops = ret_ops,
				 .n = n,
				 .limit = limit > 0 ? limit : n,
				 .start = start,
				 .userdata = userdata };
	uint64_t usec;
	int r = handle_check(handle, ELLU_EVENT);

	if (r == 0 && (!start || (!ret_ops && n > 0) || handle_duration(timeout_seconds, &usec) < 0))
		r = -EINVAL;
	if (r == 0 && handle->in_callback)
		r = -EDEADLK;
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		ret_ops[i] = NULL;
	handle_ref(handle); // a callback may close it
	r = gather_all(&gather, deadline_of(timeout_seconds));
	handle_unref(handle);
	return r;
}
