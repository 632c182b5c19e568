/*
 * A turn of an event handle: what waits is sent, what came is read and told. Callbacks run from
 * here alone, each with its operation pinned; after any of them the handle may be closed.
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

#include "client/operations/op.h"
#include "client/operations/result.h"

/* One ellu_process(): then the loop has its turn. A piece of it is far shorter. */
#define TURN_USEC 1000
#define REPLIES_PER_PIECE 16

/* ---- Delivery ---- */

/* The operation is pinned by the caller. */
static void tell(struct ellu_op *op)
{
	const struct callback callback = op->callback;
	struct outcome outcome = op->outcome;

	if (!callback.function || op->silent)
		return;
	op->told = op->state == OP_ENDED;
	ellu_keep(outcome.reply);
	ellu_keep(outcome.error);
	if (callback.deliver)
		callback.deliver(callback.function, op, outcome.result, outcome.reply,
				 outcome.error, callback.userdata);
	else
		((ellu_reply_fn *) callback.function)(op, outcome.result, outcome.reply,
						      outcome.error, callback.userdata);
	outcome_done(&outcome);
}

/* Takes the outcome; the operation is pinned by the caller. */
static void deliver(struct ellu_op *op, struct outcome *outcome)
{
	if (outcome->result != 1) {
		op_end(op, *outcome);
	} else {
		outcome_done(&op->outcome);
		op->outcome = *outcome;
		op_limit(op);
		if (op->cancel_task && op->exchange.resume.task_id != 0)
			(void) op_send_cancel(op);
	}
	tell(op);
}

/* The daemon is gone: the operation waits for its return. */
static void step_back(struct ellu_op *op)
{
	struct ellu *handle = op->handle;

	/* Closing the connection has taken it from the epoll. */
	TAILQ_REMOVE(&handle->running, op, link);
	handle->n_short -= !op->is_long;
	op->state = OP_LOST;
	op_wake_next(handle);
	TAILQ_INSERT_TAIL(op_waiting_list(op), op, link);
	if (handle->retry_usec == 0) {
		uint64_t now = now_usec();

		handle->retry_usec = handle->backoff.retry_usec > now ? handle->backoff.retry_usec
								      : now;
	}
}

static void advance(struct ellu_op *op)
{
	struct ellu *handle = op->handle;
	bool pumped = false;
	int n = 0;

	op->references++;
	op_set_ready(op, false);
	while (n < REPLIES_PER_PIECE && !handle->closed && op->state == OP_RUNNING) {
		struct outcome outcome;

		if (exchange_next(&op->exchange, &outcome) > 0) {
			backoff_reset(&handle->backoff);
			deliver(op, &outcome);
			n++;
		} else if (op->exchange.lost) {
			step_back(op);
		} else if (!pumped) {
			pumped = exchange_pump(&op->exchange) <= 0 || n > 0;
		} else {
			break;
		}
	}
	if (!handle->closed && op->state == OP_RUNNING) {
		op_set_ready(op, n == REPLIES_PER_PIECE);
		if (op->exchange.connection)
			connection_rest(op->exchange.connection);
		(void) op_watch(op);
	}
	op_unref(op);
}

static void finish(struct ellu_op *op, struct outcome outcome)
{
	op->references++;
	deliver(op, &outcome);
	op_unref(op);
}

void op_finish(struct ellu_op *op, int result)
{
	finish(op, (struct outcome){ .result = result,
				     .error = result < 0 ? result_errno(result, NULL) : NULL });
}

/* An operation that cannot be sent any more. */
static void deliver_failure(struct ellu_op *op, int code)
{
	struct outcome outcome = { .result = code };

	if (op->state == OP_LOST)
		exchange_give_up(&op->exchange, code, &outcome);
	else
		outcome.error = result_errno(code, NULL);
	finish(op, outcome);
}

/* ---- The turn ---- */

/* Sends what waits in the list, in order, as far as there is room. 1: something was done. */
static int send_list(struct ellu *handle, const struct op_list *list, uint64_t begin)
{
	struct ellu_op *op;
	int n = 0;

	while ((op = TAILQ_FIRST(list))) {
		int r = op_send(op);

		if (r < 0) {
			handle->retry_usec = begin; // the callback may have changed the list
			deliver_failure(op, r);
			return 1;
		}
		if (r == 0)
			break;
		n++;
		if (now_usec() - begin > TURN_USEC) {
			handle->retry_usec = begin;
			break;
		}
	}
	return n > 0;
}

static int send_waiting(struct ellu *handle)
{
	uint64_t begin = now_usec();
	int r;

	handle->retry_usec = 0;
	r = send_list(handle, &handle->waiting_long, begin);
	if (!handle->closed && handle->retry_usec == 0)
		r |= send_list(handle, &handle->waiting_short, begin);
	return r;
}

static void tell_next(struct ellu *handle)
{
	struct ellu_op *op = TAILQ_FIRST(&handle->untold);

	op->references++;
	op_forget_to_tell(op);
	tell(op);
	op_unref(op);
}

/* 1: one was too late. */
static int end_late(struct ellu *handle)
{
	struct ellu_op *op = TAILQ_FIRST(&handle->limited);
	struct outcome outcome;

	if (!op || op->deadline_usec > now_usec())
		return 0;
	exchange_time_out(&op->exchange, &outcome);
	finish(op, outcome);
	return 1;
}

static int take_event(struct ellu *handle)
{
	struct epoll_event events[2]; // one is the timer
	int n = epoll_wait(handle->epoll, events, 2, 0);

	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	for (int i = 0; i < n; i++)
		if (events[i].data.ptr) {
			advance(events[i].data.ptr);
			return 1;
		}
	return 0;
}

static int process_piece(struct ellu *handle)
{
	if (handle_run_post(handle, /* closed= */ false))
		return 1;
	if (!TAILQ_EMPTY(&handle->untold)) {
		tell_next(handle);
		return 1;
	}
	if (end_late(handle))
		return 1;
	if (ops_are_waiting(handle) && handle->retry_usec != 0 &&
	    handle->retry_usec <= now_usec() && send_waiting(handle) > 0)
		return 1;
	if (!TAILQ_EMPTY(&handle->ready)) {
		advance(TAILQ_FIRST(&handle->ready));
		return 1;
	}
	return take_event(handle);
}

static _Thread_local const char self; // its address is that of the thread

bool handle_is_processing(const struct ellu *handle)
{
	return atomic_load_explicit(&handle->processor, memory_order_relaxed) == &self;
}

static int process_turn(struct ellu *handle, bool *ret_done)
{
	uint64_t begin = now_usec();
	int r;

	do {
		r = process_piece(handle);
		*ret_done |= r > 0;
	} while (r > 0 && !handle->closed && now_usec() - begin < TURN_USEC);
	return r;
}

int ellu_process(struct ellu *handle)
{
	bool done = false;
	int r = handle_check(handle, ELLU_EVENT);

	if (r < 0)
		return r;
	if (handle_is_processing(handle))
		return -EDEADLK;
	handle_ref(handle);
	atomic_store_explicit(&handle->processor, &self, memory_order_relaxed);
	r = process_turn(handle, &done);
	atomic_store_explicit(&handle->processor, NULL, memory_order_relaxed);
	if (handle->closed)
		r = -ECANCELED;
	else
		ops_arm(handle);
	handle_unref(handle);
	return r < 0 ? r : done;
}

/* ---- What the loop waits for ---- */

int ellu_fd(const struct ellu *handle)
{
	int r = handle_check(handle, ELLU_EVENT);

	return r < 0 ? r : handle->epoll;
}

int ellu_events(const struct ellu *handle)
{
	int r = handle_check(handle, ELLU_EVENT);

	return r < 0 ? r : POLLIN;
}

uint64_t ellu_timeout(const struct ellu *handle)
{
	return handle_check(handle, ELLU_EVENT) < 0 ? UINT64_MAX : ops_due_usec(handle);
}
