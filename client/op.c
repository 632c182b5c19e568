/* SPDX-License-Identifier: MIT */
#include "client/op.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "client/result.h"

enum op_state {
	OP_WAITING, // in ellu::waiting
	OP_RUNNING, // in ellu::running
	OP_ENDED,
};

struct ellu_op {
	struct ellu *handle; // NULL once that is closed
	TAILQ_ENTRY(ellu_op) link; // ellu::waiting, ellu::running
	enum op_state state;
	unsigned references; // the library's until it has ended, and the caller's
	bool is_long;
	bool silent; // the caller has freed it
	struct letter letter; // while it waits
	struct exchange exchange; // while it runs
	int fd; // of its connection, which goes its own way when the exchange ends
	int epoll_events;
	struct outcome outcome; // the last
	ellu_reply_fn *callback;
	void *userdata;
};

static void op_unref(struct ellu_op *op)
{
	if (--op->references > 0)
		return;
	letter_done(&op->letter);
	outcome_done(&op->outcome);
	free(op);
}

/* Leaves its list and its connection. The library's reference goes. */
static void op_end(struct ellu_op *op)
{
	struct ellu *handle = op->handle;

	if (op->state == OP_ENDED)
		return;
	if (op->state == OP_WAITING) {
		TAILQ_REMOVE(&handle->waiting, op, link);
	} else {
		TAILQ_REMOVE(&handle->running, op, link);
		handle->n_short -= !op->is_long;
		(void) epoll_ctl(handle->epoll, EPOLL_CTL_DEL, op->fd, NULL);
		exchange_done(&op->exchange);
	}
	if (!TAILQ_EMPTY(&handle->waiting) && handle->retry_usec == 0)
		handle->retry_usec = handle_now(); // there may be room for the next one
	op->state = OP_ENDED;
	op_unref(op);
}

static int watch(struct ellu_op *op, int operation)
{
	struct connection *connection = op->exchange.connection;
	struct epoll_event event = { .data.ptr = op };

	event.events = EPOLLIN | (connection->out ? EPOLLOUT : 0);
	if (operation == EPOLL_CTL_MOD && (int) event.events == op->epoll_events)
		return 0;
	op->epoll_events = (int) event.events;
	return epoll_ctl(op->handle->epoll, operation, connection->fd, &event) < 0 ? -errno : 0;
}

/* From waiting to running. 0 when it has to go on waiting, 1 when it runs. */
static int op_send(struct ellu_op *op)
{
	struct ellu *handle = op->handle;
	int r;

	if (!op->is_long && handle->n_short >= HANDLE_SHORT_MAX)
		return 0;
	r = exchange_begin(&op->exchange, handle, &op->letter);
	if (r == -EAGAIN) {
		handle->retry_usec = handle_now() + HANDLE_RETRY_USEC;
		return 0;
	}
	if (r < 0)
		return r;
	op->fd = op->exchange.connection->fd;
	r = watch(op, EPOLL_CTL_ADD);
	if (r < 0) {
		exchange_done(&op->exchange);
		return r;
	}
	TAILQ_REMOVE(&handle->waiting, op, link);
	TAILQ_INSERT_TAIL(&handle->running, op, link);
	handle->n_short += !op->is_long;
	op->state = OP_RUNNING;
	return 1;
}

int op_start(struct ellu *handle, struct letter *letter, bool is_long, ellu_reply_fn *callback,
	     void *userdata, struct ellu_op **ret_op)
{
	struct ellu_op *op = calloc(1, sizeof(*op));
	int r;

	if (!op) {
		letter_done(letter);
		return -ENOMEM;
	}
	op->handle = handle;
	op->references = 1;
	op->is_long = is_long;
	op->letter = *letter;
	op->outcome.result = -EINPROGRESS;
	op->callback = callback;
	op->userdata = userdata;
	TAILQ_INSERT_TAIL(&handle->waiting, op, link);
	r = op_send(op);
	if (r < 0) {
		op_end(op);
		return r;
	}
	if (ret_op) {
		op->references++;
		*ret_op = op;
	}
	return 0;
}

void ops_abandon(struct ellu *handle)
{
	struct op_list *lists[] = { &handle->waiting, &handle->running };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		while (!TAILQ_EMPTY(lists[i])) {
			struct ellu_op *op = TAILQ_FIRST(lists[i]);

			op->references++;
			op->outcome.result = op->outcome.result == -EINPROGRESS
						     ? -ECANCELED
						     : op->outcome.result;
			op_end(op);
			op->handle = NULL;
			op_unref(op);
		}
}

uint64_t ops_timeout(const struct ellu *handle)
{
	return TAILQ_EMPTY(&handle->waiting) || handle->retry_usec == 0 ? UINT64_MAX
									: handle->retry_usec;
}

/* ---- Delivery ---- */

/* The operation is pinned by the caller. Takes the outcome. */
static void deliver(struct ellu_op *op, struct outcome *outcome)
{
	struct ellu *handle = op->handle;

	outcome_done(&op->outcome);
	op->outcome = *outcome;
	if (outcome->result != 1)
		op_end(op);
	if (!op->callback || op->silent)
		return;
	handle->in_callback = true;
	op->callback(op, outcome->result, outcome->reply, outcome->error, op->userdata);
	handle->in_callback = false;
}

static void advance(struct ellu_op *op)
{
	struct ellu *handle = op->handle;
	struct outcome outcome;

	op->references++;
	(void) exchange_pump(&op->exchange);
	while (!handle->closed && op->state == OP_RUNNING &&
	       exchange_next(&op->exchange, &outcome) > 0)
		deliver(op, &outcome);
	if (!handle->closed && op->state == OP_RUNNING)
		(void) watch(op, EPOLL_CTL_MOD);
	op_unref(op);
}

/* Sends what waits, in order, as far as there is room. */
static int send_waiting(struct ellu *handle)
{
	struct ellu_op *op, *next;
	int n = 0;

	handle->retry_usec = 0;
	for (op = TAILQ_FIRST(&handle->waiting); op; op = next) {
		struct outcome outcome = { 0 };
		int r = op_send(op);

		next = TAILQ_NEXT(op, link);
		if (r == 0 && handle->retry_usec != 0)
			break;
		n += r > 0;
		if (r >= 0)
			continue;
		outcome.result = r;
		outcome.error = result_errno(r, NULL);
		op->references++;
		deliver(op, &outcome);
		op_unref(op);
		return 1; // the callback may have changed the list
	}
	return n > 0;
}

int ellu_process(struct ellu *handle)
{
	struct epoll_event event;
	int r = handle_check(handle, ELLU_EVENT);

	if (r < 0)
		return r;
	if (handle->in_callback)
		return -EDEADLK;
	handle->references++;
	if (ops_timeout(handle) <= handle_now() && send_waiting(handle) > 0) {
		handle_unref(handle);
		return 1;
	}
	r = epoll_wait(handle->epoll, &event, 1, 0);
	if (r > 0)
		advance(event.data.ptr);
	else if (r < 0)
		r = errno == EINTR ? 1 : -errno;
	handle_unref(handle);
	return r;
}

/* ---- The caller's side ---- */

int ellu_op_is_done(const struct ellu_op *op)
{
	return op && op->state == OP_ENDED;
}

int ellu_op_result(const struct ellu_op *op, const void **ret_reply,
		   const struct ellu_error **ret_error)
{
	if (!op)
		return -EINVAL;
	if (ret_reply)
		*ret_reply = op->outcome.reply;
	if (ret_error)
		*ret_error = op->outcome.error;
	return op->outcome.result;
}

void *ellu_op_userdata(const struct ellu_op *op)
{
	return op ? op->userdata : NULL;
}

/* Until the handle has something to do, or `deadline`. */
static int handle_wait(struct ellu *handle, uint64_t deadline)
{
	struct pollfd poll_fd = { .fd = handle->epoll, .events = POLLIN };
	uint64_t now = handle_now(), until = ops_timeout(handle);
	int timeout = -1;

	until = deadline < until ? deadline : until;
	if (until <= now)
		timeout = 0;
	else if (until != UINT64_MAX)
		timeout = until - now > 3600000000u ? 3600000 : (int) ((until - now + 999) / 1000);
	return poll(&poll_fd, 1, timeout) < 0 && errno != EINTR ? -errno : 0;
}

int ellu_op_wait(struct ellu_op *op, double timeout_seconds)
{
	uint64_t deadline = UINT64_MAX;
	int r = 0;

	if (!op)
		return -EINVAL;
	if (timeout_seconds >= 0 && timeout_seconds < 1e9)
		deadline = handle_now() + (uint64_t) (timeout_seconds * 1e6);
	op->references++;
	while (op->state != OP_ENDED && r >= 0) {
		r = ellu_process(op->handle);
		if (r != 0 || op->state == OP_ENDED)
			continue;
		if (handle_now() >= deadline)
			break;
		r = handle_wait(op->handle, deadline);
	}
	if (op->state == OP_ENDED)
		r = op->outcome.result == -ECANCELED ? -ECANCELED : 1;
	op_unref(op);
	return r;
}

struct ellu_op *ellu_op_free(struct ellu_op *op)
{
	if (!op)
		return NULL;
	op->silent = true;
	op_end(op);
	op_unref(op);
	return NULL;
}
