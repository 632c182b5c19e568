/*
 * Waiting for operations where there is no loop: the handle is processed until enough of them have
 * ended. Any of them may be freed by a callback on the way, so each tells the wait itself.
 */
#include <errno.h>
#include <poll.h>

#include "client/operations/op.h"

/* -EDEADLK: it is waited for already, by whoever calls this. */
static int wait_add(struct op_wait *wait, struct ellu_op *op, size_t index)
{
	if (!op_is_live(op))
		return -EINVAL;
	if (op->state == OP_ENDED) {
		wait->ended = index < wait->ended ? index : wait->ended;
		return 0;
	}
	if (wait->handle && op->handle != wait->handle)
		return -EINVAL;
	if (op->wait)
		return op->wait == wait ? 0 : -EDEADLK;
	wait->handle = op->handle;
	wait->n_left++;
	op->wait = wait;
	op->wait_index = index;
	return 0;
}

/* Until no more than that many are left: 1. 0: the time passed before. -ECANCELED: the handle is closed,
 * and all have ended. */
static int wait_until(const struct op_wait *wait, size_t n_left, uint64_t deadline_usec)
{
	while (wait->n_left > n_left) {
		int r = ellu_process(wait->handle);

		if (r < 0)
			return r;
		if (r > 0)
			continue;
		if (now_usec() >= deadline_usec)
			return 0;
		/* Its descriptor shows what is due by itself too. */
		r = poll_until(wait->handle->epoll, POLLIN, deadline_usec);
		if (r < 0 && r != -EINTR)
			return r;
	}
	return 1;
}

static int wait_all(const struct op_wait *wait, uint64_t deadline_usec)
{
	int r = wait_until(wait, 0, deadline_usec);

	return wait->n_left == 0 ? 1 : r;
}

static int wait_any(const struct op_wait *wait, uint64_t deadline_usec)
{
	int r = -ENOENT;

	if (wait->ended == SIZE_MAX && wait->n_left > 0)
		r = wait_until(wait, wait->n_left - 1, deadline_usec);
	if (wait->ended != SIZE_MAX)
		return (int) wait->ended;
	return r == 0 ? -ETIMEDOUT : r;
}

static int wait_for(struct ellu_op *const *ops, size_t n_ops, double timeout_seconds,
		    int (*run)(const struct op_wait *wait, uint64_t deadline_usec))
{
	struct op_wait wait = { .ended = SIZE_MAX };
	uint64_t deadline_usec;
	int r = handle_deadline(timeout_seconds, &deadline_usec);

	if (!ops && n_ops > 0)
		r = -EINVAL;
	for (size_t i = 0; i < n_ops && r == 0; i++)
		if (ops[i])
			r = wait_add(&wait, ops[i], i);
	if (r == 0)
		r = run(&wait, deadline_usec);
	ops_forget_wait(&wait);
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

int ellu_gather(struct ellu *handle, size_t n, size_t limit, ellu_start_fn *start, void *userdata,
		double timeout_seconds, struct ellu_op **ret_ops)
{
	struct op_wait wait = { .handle = handle, .ended = SIZE_MAX };
	uint64_t deadline_usec;
	int r = handle_check(handle, ELLU_EVENT), failed = 0;

	if (r == 0 && (!start || (!ret_ops && n > 0)))
		r = -EINVAL;
	if (r == 0)
		r = handle_deadline(timeout_seconds, &deadline_usec);
	if (r == 0 && handle_is_processing(handle))
		r = -EDEADLK;
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		ret_ops[i] = NULL;
	if (limit == 0 || limit > n)
		limit = n;
	r = 1;
	for (size_t i = 0; i < n && r > 0 && failed == 0; i++) {
		r = wait_until(&wait, limit - 1, deadline_usec);
		if (r <= 0)
			break;
		failed = start(handle, i, &ret_ops[i], userdata);
		if (failed < 0)
			ret_ops[i] = NULL;
		else if (op_is_live(ret_ops[i]))
			failed = wait_add(&wait, ret_ops[i], i);
	}
	if (r > 0)
		r = wait_until(&wait, 0, deadline_usec);
	ops_forget_wait(&wait);
	return r > 0 && failed < 0 ? failed : r;
}
