/*
 * Waiting for operations where there is no loop: the handle is processed until enough of them have
 * ended. Any of them may be freed by a callback on the way, so none is touched before it is known
 * to be there still.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "client/operations/op.h"

static bool has_ended(const struct ellu_op *op)
{
	return !op_is_live(op) || op->state == OP_ENDED;
}

static uint64_t deadline_of(double timeout_seconds)
{
	uint64_t usec;

	return handle_duration(timeout_seconds, &usec) < 0 ? 0 : now_usec() + usec;
}

/* One turn. 1: something may have happened, 0: the time passed, -ECANCELED: the handle is closed. */
static int turn(struct ellu *handle, uint64_t deadline_usec)
{
	int r = live_is(handle, LIVE_HANDLE) ? ellu_process(handle) : -ECANCELED;

	if (r != 0)
		return r;
	if (now_usec() >= deadline_usec)
		return 0;
	/* Its descriptor shows what is due by itself too. */
	r = poll_until(handle->epoll, POLLIN, deadline_usec);
	return r < 0 && r != -EINTR ? r : 1;
}

/* The operations that are waited for. A callback may free any of them, and what is freed has ended:
 * the memory stays until the end, so that no operation that begins meanwhile is taken for it. */
struct waited {
	struct ellu_op **ops; // a copy, NULL where the caller's entry is
	size_t n;
	struct ellu *handle; // of those that have not ended; NULL: all have
};

static struct ellu_op *pin(struct ellu_op *op)
{
	if (!op_is_live(op))
		return NULL;
	op->references++;
	return op;
}

static void waited_done(struct waited *waited)
{
	for (size_t i = 0; i < waited->n; i++)
		if (waited->ops[i])
			op_unref(waited->ops[i]);
	free(waited->ops);
}

/* 0, or -EINVAL: it is no operation, or of another handle than those before. */
static int waited_add(struct waited *waited, struct ellu_op *op)
{
	if (!op_is_live(op))
		return -EINVAL;
	if (op->state != OP_ENDED) {
		if (waited->handle && op->handle != waited->handle)
			return -EINVAL;
		waited->handle = op->handle;
	}
	waited->ops[waited->n - 1] = pin(op);
	return 0;
}

static int waited_init(struct waited *waited, struct ellu_op *const *ops, size_t n_ops,
		       double timeout_seconds)
{
	uint64_t usec;
	int r = 0;

	*waited = (struct waited){ .ops = NULL };
	if ((!ops && n_ops > 0) || handle_duration(timeout_seconds, &usec) < 0)
		return -EINVAL;
	waited->ops = calloc(n_ops ? n_ops : 1, sizeof(struct ellu_op *));
	if (!waited->ops)
		return -ENOMEM;
	while (r == 0 && waited->n < n_ops) {
		waited->n++;
		if (ops[waited->n - 1])
			r = waited_add(waited, ops[waited->n - 1]);
	}
	if (r < 0)
		waited_done(waited);
	return r;
}

static int wait_all(const struct waited *waited, uint64_t deadline)
{
	size_t n_ended = 0;
	int r;

	for (;;) {
		while (n_ended < waited->n && has_ended(waited->ops[n_ended]))
			n_ended++;
		if (n_ended == waited->n)
			return 1;
		r = turn(waited->handle, deadline);
		if (r == -ECANCELED)
			return 1; // all have ended with it
		if (r <= 0)
			return r;
	}
}

/* -ETIMEDOUT: none has. -ENOENT: there is none that could. */
static int find_ended(const struct waited *waited)
{
	int r = -ENOENT;

	for (size_t i = 0; i < waited->n; i++) {
		if (!waited->ops[i])
			continue;
		if (has_ended(waited->ops[i]))
			return (int) i;
		r = -ETIMEDOUT;
	}
	return r;
}

static int wait_any(const struct waited *waited, uint64_t deadline)
{
	int found = find_ended(waited), r;
	uint64_t n_ended;

	while (found == -ETIMEDOUT) {
		n_ended = waited->handle->n_ended;
		r = turn(waited->handle, deadline);
		if (r == 0)
			return -ETIMEDOUT;
		if (r < 0 && r != -ECANCELED)
			return r;
		if (r == -ECANCELED || waited->handle->n_ended != n_ended)
			found = find_ended(waited);
	}
	return found;
}

static int wait_for(struct ellu_op *const *ops, size_t n_ops, double timeout_seconds,
		    int (*wait)(const struct waited *waited, uint64_t deadline))
{
	uint64_t deadline = deadline_of(timeout_seconds);
	struct waited waited;
	int r = waited_init(&waited, ops, n_ops, timeout_seconds);

	if (r < 0)
		return r;
	r = wait(&waited, deadline);
	waited_done(&waited);
	return r;
}

int ellu_op_wait_all(struct ellu_op *const *ops, size_t n_ops, double timeout_seconds)
{
	return wait_for(ops, n_ops, timeout_seconds, wait_all);
}

int ellu_op_wait_any(struct ellu_op *const *ops, size_t n_ops, double timeout_seconds)
{
	return wait_for(ops, n_ops, timeout_seconds, wait_any);
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
	struct ellu_op **ops; // the caller's
	struct ellu_op **pinned; // as waited::ops
	struct ellu_op **outstanding; // those of them that have not ended
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
		gather->pinned[gather->n_started++] = pin(*op);
		if (!has_ended(*op))
			gather->outstanding[gather->n_outstanding++] = *op;
	}
	return 0;
}

static void count(struct gather *gather)
{
	size_t n = 0;

	if (gather->n_ended_seen == gather->handle->n_ended)
		return;
	gather->n_ended_seen = gather->handle->n_ended;
	for (size_t i = 0; i < gather->n_outstanding; i++)
		if (!has_ended(gather->outstanding[i]))
			gather->outstanding[n++] = gather->outstanding[i];
	gather->n_outstanding = n;
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
	if (r == 0 && handle_is_processing(handle))
		r = -EDEADLK;
	if (r < 0)
		return r;
	gather.pinned = calloc(n ? n : 1, 2 * sizeof(struct ellu_op *));
	if (!gather.pinned)
		return -ENOMEM;
	gather.outstanding = gather.pinned + n;
	for (size_t i = 0; i < n; i++)
		ret_ops[i] = NULL;
	handle_ref(handle); // a callback may close it
	r = gather_all(&gather, deadline_of(timeout_seconds));
	handle_unref(handle);
	waited_done(&(struct waited){ .ops = gather.pinned, .n = gather.n_started });
	return r;
}
