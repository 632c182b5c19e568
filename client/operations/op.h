/*
 * Operations: the asynchronous calls of an event handle. Short ones take turns on a few
 * connections; a long one has its own. What comes for them is told by process.c alone; whatever a
 * callback frees or closes is pinned for as long as it is still needed.
 *
 * One reference is the library's until the operation has ended and its callback knows, one the
 * caller's, and one is held by whoever calls out.
 */
#pragma once

#include "client/operations/exchange.h"

enum op_state {
	OP_WAITING, // in ellu::waiting_short or waiting_long: not sent
	OP_LOST, // in ellu::waiting_long: to be sent again, or resumed
	OP_RUNNING, // in ellu::running
	OP_AWAY, // in ellu::running: a function that runs off the loop
	OP_ENDED, // in ellu::ended
};

struct off_loop_job;

/* Who is told; `deliver` NULL: `function` is an ellu_reply_fn. */
struct callback {
	ellu_deliver_fn *deliver;
	ellu_any_fn *function; // NULL: nobody
	void *userdata;
};

/* Whoever waits until operations have ended. */
struct op_wait {
	struct ellu *handle; // of those that are left; NULL: none was ever
	size_t n_left;
	size_t ended; // the index of the first that has; SIZE_MAX: none
	void (*on_end)(struct op_wait *wait); // after each, or NULL
};

struct ellu_op {
	struct live live;
	struct ellu *handle; // NULL once that is closed
	TAILQ_ENTRY(ellu_op) link; // of its state
	TAILQ_ENTRY(ellu_op) news_link; // ellu::ready while it runs, ellu::untold when it has ended
	TAILQ_ENTRY(ellu_op) limit_link; // ellu::limited while it has a deadline
	uint64_t deadline_usec; // UINT64_MAX: none
	enum op_state state;
	unsigned references;
	bool is_owned; // the caller has a reference
	bool is_long;
	bool is_ready; // in ellu::ready
	bool is_untold; // in ellu::untold
	bool told; // the callback knows of the end
	bool silent; // the caller has freed it
	bool cancel_task; // as soon as the task is known
	struct exchange exchange; // of all but those that are away
	struct off_loop_job *job; // while it is away
	void (*abandon)(struct ellu_op *op); // as op_start_away() was told
	int epoll_fd; // the connection's, that the epoll watches; another before it has its socket
	int epoll_events;
	struct outcome outcome; // the last
	struct callback callback;
	struct op_wait *wait; // until it has ended; NULL: nobody waits for it
	size_t wait_index;
};

/* Takes the exchange, which is not sent yet, in any case. */
int op_start(struct exchange *exchange, const struct callback *callback, struct ellu_op **ret_op);

/* One that is not a call: away until op_finish(). Should it end before, `abandon` is told.
 * `ret_owned`, the caller's, may be NULL. */
int op_start_away(struct ellu *handle, const struct callback *callback,
		  void (*abandon)(struct ellu_op *op), struct ellu_op **ret_owned,
		  struct ellu_op **ret_op);
/* It could not be started after all: nobody has it. */
void op_withdraw(struct ellu_op *op);
void op_finish(struct ellu_op *op, int result);

/* The caller's reference goes, and the operation goes on. */
void op_leave(struct ellu_op *op);

void op_unref(struct ellu_op *op);

/* Of those that keep their order, the next one may have got the connection, or lost it. */
void op_wake_next(struct ellu *handle);

/* From waiting to running. 0 when it has to go on waiting, 1 when it runs. */
int op_send(struct ellu_op *op);
int op_watch(struct ellu_op *op);
int op_send_cancel(struct ellu_op *op); // of its task

/* From its start, and from each page of a list; nothing for what has no limit. */
void op_limit(struct ellu_op *op);

/* It runs, and has replies that were read and not told. */
void op_set_ready(struct ellu_op *op, bool is_ready);

/* Leaves its list and its connection; takes the outcome. The library's reference goes. */
void op_end(struct ellu_op *op, struct outcome outcome);
/* Whatever is in ellu::untold leaves it. */
void op_forget_to_tell(struct ellu_op *op);

/* Of an operation that waits. One that has to be resumed waits for no turn. */
struct op_list *op_waiting_list(const struct ellu_op *op);
bool ops_are_waiting(const struct ellu *handle);

/* Those that are left go on without it. */
void ops_forget_wait(const struct op_wait *wait);

/* Is it one that may be used, and of an open handle or ended. */
static inline bool op_is_live(const struct ellu_op *op)
{
	return live_is(op, LIVE_OP);
}

/* The handle closes: no operation has one any more. */
void ops_abandon(struct ellu *handle);

/* When ellu_process() has something to do of itself; UINT64_MAX: not known. */
uint64_t ops_due_usec(const struct ellu *handle);
/* After a change of that. */
void ops_arm(struct ellu *handle);
