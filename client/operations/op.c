#include "client/operations/op.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "client/operations/result.h"
#include "proto/generated/interface.h"
#include "proto/wire/message.h"

/* Not inline: gcc would take each drop of a pin for the last one, and warn of what follows. */
__attribute__((noinline)) void op_unref(struct ellu_op *op)
{
	if (--op->references > 0)
		return;
	live_remove(op);
	if (op->handle && op->state == OP_ENDED)
		TAILQ_REMOVE(&op->handle->ended, op, link);
	outcome_done(&op->outcome);
	free(op);
}

/* ---- Ends ---- */

struct op_list *op_waiting_list(const struct ellu_op *op)
{
	struct ellu *handle = op->handle;

	return op->is_long || op->state == OP_LOST ? &handle->waiting_long : &handle->waiting_short;
}

bool ops_are_waiting(const struct ellu *handle)
{
	return !TAILQ_EMPTY(&handle->waiting_long) || !TAILQ_EMPTY(&handle->waiting_short);
}

void op_set_ready(struct ellu_op *op, bool is_ready)
{
	if (is_ready && !op->is_ready)
		TAILQ_INSERT_TAIL(&op->handle->ready, op, news_link);
	else if (!is_ready && op->is_ready)
		TAILQ_REMOVE(&op->handle->ready, op, news_link);
	op->is_ready = is_ready;
}

static void leave_loop(struct ellu_op *op)
{
	struct ellu *handle = op->handle;

	if (op->state == OP_WAITING || op->state == OP_LOST)
		TAILQ_REMOVE(op_waiting_list(op), op, link);
	else
		TAILQ_REMOVE(&handle->running, op, link);
	op_set_ready(op, false);
	if (op->deadline_usec != UINT64_MAX)
		TAILQ_REMOVE(&handle->limited, op, limit_link);
	op->deadline_usec = UINT64_MAX;
	if (op->state == OP_RUNNING)
		handle->n_short -= !op->is_long;
	if (op->state == OP_AWAY)
		op->abandon(op);
	else
		exchange_done(&op->exchange);
}

static void be_told_later(struct ellu_op *op)
{
	if (op->is_untold || op->told || !op->callback.function || op->silent || !op->handle)
		return;
	op->is_untold = true;
	op->references++;
	TAILQ_INSERT_TAIL(&op->handle->untold, op, news_link);
}

void op_forget_to_tell(struct ellu_op *op)
{
	if (!op->is_untold)
		return;
	op->is_untold = false;
	TAILQ_REMOVE(&op->handle->untold, op, news_link);
	op_unref(op);
}

static bool is_in_order(const struct ellu_op *op)
{
	return op->state == OP_RUNNING && !op->is_long;
}

void op_wake_next(struct ellu *handle)
{
	struct ellu_op *op;

	if (!handle->in_order)
		return;
	TAILQ_FOREACH(op, &handle->running, link)
		if (is_in_order(op) && !op->exchange.before)
			op_set_ready(op, true);
}

void op_end(struct ellu_op *op, struct outcome outcome)
{
	struct op_wait *wait = op->wait;
	struct ellu *handle = op->handle;

	if (op->state == OP_ENDED) {
		outcome_done(&outcome);
		return;
	}
	leave_loop(op);
	op_wake_next(handle);
	if (ops_are_waiting(handle) && handle->retry_usec == 0)
		handle->retry_usec = now_usec(); // there may be room for the next one
	op->state = OP_ENDED;
	TAILQ_INSERT_TAIL(&handle->ended, op, link);
	outcome_done(&op->outcome);
	op->outcome = outcome;
	if (wait) {
		op->wait = NULL;
		wait->n_left--;
		wait->ended = wait->ended == SIZE_MAX ? op->wait_index : wait->ended;
		if (wait->on_end)
			wait->on_end(wait);
	}
	op_unref(op);
}

static struct outcome cancelled(void)
{
	return (struct outcome){ .result = -ECANCELED, .error = result_errno(-ECANCELED, NULL) };
}

/* The lists of those that have not ended. */
#define N_LISTS 3
static struct op_list *list_of(struct ellu *handle, int i)
{
	return i == 0 ? &handle->waiting_long : i == 1 ? &handle->waiting_short : &handle->running;
}

void ops_abandon(struct ellu *handle)
{
	struct ellu_op *op;

	for (int i = 0; i < N_LISTS; i++)
		while ((op = TAILQ_FIRST(list_of(handle, i))))
			op_end(op, cancelled());
	while ((op = TAILQ_FIRST(&handle->untold)))
		op_forget_to_tell(op);
	while ((op = TAILQ_FIRST(&handle->ended))) {
		TAILQ_REMOVE(&handle->ended, op, link);
		op->handle = NULL;
	}
}

void ops_forget_wait(const struct op_wait *wait)
{
	struct ellu_op *op;

	for (int i = 0; i < N_LISTS && wait->n_left > 0; i++)
		TAILQ_FOREACH(op, list_of(wait->handle, i), link)
			op->wait = op->wait == wait ? NULL : op->wait;
}

uint64_t ops_due_usec(const struct ellu *handle)
{
	const struct ellu_op *limited = TAILQ_FIRST(&handle->limited);
	uint64_t due = limited ? limited->deadline_usec : UINT64_MAX;

	if (!TAILQ_EMPTY(&handle->untold) || !TAILQ_EMPTY(&handle->ready))
		return 0;
	if (ops_are_waiting(handle) && handle->retry_usec != 0 && handle->retry_usec < due)
		due = handle->retry_usec;
	return due;
}

void ops_arm(struct ellu *handle)
{
	handle_arm(handle, ops_due_usec(handle));
}

void op_limit(struct ellu_op *op)
{
	struct op_list *limited = &op->handle->limited;
	struct ellu_op *before;

	if (op->deadline_usec != UINT64_MAX)
		TAILQ_REMOVE(limited, op, limit_link);
	op->deadline_usec = exchange_deadline(&op->exchange);
	if (op->deadline_usec == UINT64_MAX)
		return;
	before = TAILQ_LAST(limited, op_list);
	while (before && before->deadline_usec > op->deadline_usec)
		before = TAILQ_PREV(before, op_list, limit_link);
	if (before)
		TAILQ_INSERT_AFTER(limited, before, op, limit_link);
	else
		TAILQ_INSERT_HEAD(limited, op, limit_link);
}

/* ---- Starts ---- */

int op_watch(struct ellu_op *op)
{
	struct connection *connection = op->exchange.connection;
	struct epoll_event event = { .data.ptr = op };
	int operation;

	if (!connection)
		return 0;
	operation = connection->fd == op->epoll_fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	event.events = (uint32_t) connection_events(connection); // as epoll's
	if (operation == EPOLL_CTL_MOD && (int) event.events == op->epoll_events)
		return 0;
	op->epoll_fd = connection->fd;
	op->epoll_events = (int) event.events;
	if (handle_is_forked(op->handle))
		return 0;
	return epoll_ctl(op->handle->epoll, operation, connection->fd, &event) < 0 ? -errno : 0;
}

/* The last one that keeps its order, and that others follow. NULL: there is none. */
static struct ellu_op *last_in_order(struct ellu *handle)
{
	struct ellu_op *op, *last = NULL;

	if (!handle->in_order)
		return NULL;
	TAILQ_FOREACH(op, &handle->running, link)
		last = is_in_order(op) ? op : last;
	return last;
}

static struct ellu_op *op_of(struct exchange *exchange)
{
	return (struct ellu_op *) ((char *) exchange - offsetof(struct ellu_op, exchange));
}

/* 0: it has no turn yet. */
static int send_first(struct ellu_op *op)
{
	struct ellu *handle = op->handle;
	struct ellu_op *last = op->is_long ? NULL : last_in_order(handle);
	struct exchange *first;
	int r;

	if (!op->is_long && handle->n_short == HANDLE_SHORT_MAX)
		return 0;
	if (last && !exchange_may_follow(&last->exchange))
		return 0;
	if (last) {
		r = exchange_send_behind(&op->exchange, &last->exchange, &first);
		return r < 0 || (r = op_watch(op_of(first))) < 0 ? r : 1;
	}
	r = exchange_send(&op->exchange);
	if (r != -EAGAIN)
		return r < 0 ? r : 1;
	handle->retry_usec = now_usec() + CONNECTION_RETRY_USEC;
	return 0;
}

static int send_again(struct ellu_op *op)
{
	struct ellu *handle = op->handle;
	int r = exchange_reconnect(&op->exchange);

	/* A daemon that takes calls and hangs up is no better than none: a reply says. */
	if (r >= 0)
		backoff_failed(&handle->backoff, now_usec());
	if (r == 0)
		handle->retry_usec = handle->backoff.retry_usec;
	return r;
}

int op_send(struct ellu_op *op)
{
	struct ellu *handle = op->handle;
	int r = op->state == OP_LOST ? send_again(op) : send_first(op);

	if (r <= 0)
		return r;
	op->epoll_fd = -1;
	r = op_watch(op);
	if (r < 0)
		return r;
	TAILQ_REMOVE(op_waiting_list(op), op, link);
	TAILQ_INSERT_TAIL(&handle->running, op, link);
	handle->n_short += !op->is_long;
	op->state = OP_RUNNING;
	return 1;
}

static struct ellu_op *op_new(struct ellu *handle, const struct callback *callback,
			      struct ellu_op **ret_op)
{
	struct ellu_op *op = calloc(1, sizeof(*op));

	if (!op || live_add(&op->live, LIVE_OP) < 0) {
		free(op);
		return NULL;
	}
	op->handle = handle;
	op->references = 1 + (ret_op != NULL);
	op->outcome.result = -EINPROGRESS;
	op->callback = *callback;
	op->deadline_usec = UINT64_MAX;
	op->is_owned = ret_op != NULL;
	if (ret_op)
		*ret_op = op;
	return op;
}

void op_leave(struct ellu_op *op)
{
	if (!op->is_owned)
		return;
	op->is_owned = false;
	op_unref(op);
}

void op_withdraw(struct ellu_op *op)
{
	op->references++;
	op_end(op, (struct outcome){ .result = -ECANCELED });
	op_leave(op);
	op_unref(op);
}

/* How long a method that is not known takes is not known either. */
static bool is_long(const struct exchange *exchange)
{
	return exchange->flags & WIRE_MORE || !exchange->method || exchange->method->is_long;
}

int op_start(struct exchange *exchange, const struct callback *callback, struct ellu_op **ret_op)
{
	struct ellu_op *op, *owned = NULL;
	int r;

	op = op_new(exchange->handle, callback, ret_op ? &owned : NULL);
	if (!op) {
		exchange_done(exchange);
		return -ENOMEM;
	}
	op->exchange = *exchange;
	op->is_long = is_long(exchange);
	TAILQ_INSERT_TAIL(op_waiting_list(op), op, link);
	op_limit(op);
	r = op_send(op);
	if (r < 0)
		op_withdraw(op);
	else if (ret_op)
		*ret_op = owned;
	ops_arm(exchange->handle);
	return r < 0 ? r : 0;
}

int op_start_away(struct ellu *handle, const struct callback *callback,
		  void (*abandon)(struct ellu_op *op), struct ellu_op **ret_owned,
		  struct ellu_op **ret_op)
{
	struct ellu_op *op = op_new(handle, callback, ret_owned);

	if (!op)
		return -ENOMEM;
	op->state = OP_AWAY;
	op->abandon = abandon;
	TAILQ_INSERT_TAIL(&handle->running, op, link);
	*ret_op = op;
	return 0;
}

/* ---- The caller's side ---- */

int ellu_op_is_done(const struct ellu_op *op)
{
	return op_is_live(op) && op->state == OP_ENDED;
}

int ellu_op_result(const struct ellu_op *op, const void **ret_reply,
		   const struct ellu_error **ret_error)
{
	if (!op_is_live(op))
		return -EINVAL;
	if (ret_reply)
		*ret_reply = ellu_keep(op->outcome.reply);
	if (ret_error)
		*ret_error = ellu_keep(op->outcome.error);
	return op->outcome.result;
}

void *ellu_op_userdata(const struct ellu_op *op)
{
	return op_is_live(op) ? op->callback.userdata : NULL;
}

int ellu_op_set_callback(struct ellu_op *op, ellu_reply_fn *callback, void *userdata)
{
	return ellu_op_deliver_to(op, NULL, (ellu_any_fn *) callback, userdata);
}

int ellu_op_deliver_to(struct ellu_op *op, ellu_deliver_fn *deliver, ellu_any_fn *callback,
		       void *userdata)
{
	if (!op_is_live(op))
		return -EINVAL;
	op->callback = (struct callback){ deliver, callback, userdata };
	if (op->state == OP_ENDED && op->handle) {
		if (!callback)
			op_forget_to_tell(op);
		be_told_later(op);
		ops_arm(op->handle);
	}
	return 0;
}

int ellu_op_cancel(struct ellu_op *op)
{
	if (!op_is_live(op))
		return -EINVAL;
	if (op->state == OP_ENDED)
		return 0;
	op->references++; // of one that was left to the library, this was the last
	op_end(op, cancelled());
	be_told_later(op);
	ops_arm(op->handle);
	op_unref(op);
	return 0;
}

int ellu_op_is_reconnecting(const struct ellu_op *op)
{
	return op_is_live(op) &&
	       (op->state == OP_LOST ||
		(op->state == OP_RUNNING && exchange_is_reconnecting(&op->exchange)));
}

int64_t ellu_op_task_id(const struct ellu_op *op)
{
	return op_is_live(op) ? op->exchange.resume.task_id : 0;
}

int op_send_cancel(struct ellu_op *op)
{
	const char *method = elluminate_interface.methods[METHOD_CANCEL_TASK].qualified_name;
	struct ellu_cancel_task_request request = ELLU_RECORD(struct ellu_cancel_task_request);
	const struct callback nobody = { .function = NULL };
	struct exchange exchange;
	int r;

	op->cancel_task = false;
	request.id = op->exchange.resume.task_id;
	r = exchange_init(&exchange, op->handle, method, &request, EXCHANGE_EVENT, NULL);
	return r < 0 ? r : op_start(&exchange, &nobody, NULL);
}

int ellu_op_cancel_task(struct ellu_op *op)
{
	if (!op_is_live(op))
		return -EINVAL;
	if (!op->exchange.resume.follows_task)
		return -EOPNOTSUPP;
	if (op->state == OP_WAITING)
		return ellu_op_cancel(op);
	if (op->state == OP_ENDED)
		return 0;
	if (op->exchange.resume.task_id != 0)
		return op_send_cancel(op);
	op->cancel_task = true;
	return 0;
}

struct ellu_op *ellu_op_free(struct ellu_op *op)
{
	struct ellu *handle;

	if (!op_is_live(op))
		return NULL;
	handle = op->handle;
	op->references++;
	op->silent = true;
	if (op->state != OP_ENDED)
		op_end(op, (struct outcome){ .result = -ECANCELED });
	op_forget_to_tell(op);
	live_remove(op);
	op_leave(op);
	op_unref(op);
	if (handle)
		ops_arm(handle);
	return NULL;
}
