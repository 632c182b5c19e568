/*
 * A handle: the daemon's address and the connections that wait for their next call. A
 * connection carries one call at a time, because the daemon answers in order; so each call
 * takes one and gives it back after its last reply. Calls that are to keep their order follow each
 * other on one.
 *
 * Blocking: calls of several threads meet only in the idle list, under its lock. Event: one
 * thread at a time; an operation that has not ended is in exactly one of `waiting_short`,
 * `waiting_long` and `running`; one that has is in `ended` until it is freed. Other threads reach
 * an event handle by handle_post() alone.
 *
 * Whatever makes an event handle due (ops_due_usec()) arms its timer, which makes its descriptor
 * ready; so a loop that went to sleep on the descriptor before wakes up.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/elluminate.h"
#include "client/operations/live.h"
#include "client/transport/address.h"
#include "client/transport/backoff.h"
#include "client/transport/connection.h"

#define HANDLE_IDLE_MAX 4 // connections kept for later calls
#define HANDLE_SHORT_MAX 4 // connections of an event handle that short calls share
#define HANDLE_RECONNECT_USEC (60 * UINT64_C(1000000)) // unless the caller says otherwise
#define HANDLE_OPEN_USEC (60 * UINT64_C(1000000)) // for the first answer over a bus
#define HANDLE_TIMEOUT_MAX 31536000.0 // seconds: a year

TAILQ_HEAD(op_list, ellu_op);

/* Something for the thread of the loop, from another one. */
struct post {
	STAILQ_ENTRY(post) link; // ellu::posts
	/* In ellu_process(). With `closed` the handle is going away, and nothing can be started; that
	 * is in ellu_close(), or in handle_post() when it came too late. */
	void (*run)(struct post *post, struct ellu *handle, bool closed);
};
STAILQ_HEAD(post_list, post);

struct ellu {
	struct live live;
	unsigned mode;
	pid_t pid; // of the process that opened it
	struct address address;
	atomic_uint references; // the caller's, and one of whoever runs callbacks or reads a stream
	atomic_bool closed;
	_Atomic uint64_t reconnect_usec; // 0: never
	_Atomic uint64_t timeout_usec; // of a call; CONNECTION_NO_LIMIT
	pthread_mutex_t lock; // of the idle list, and of `posts` with the timer
	struct connection *idle;
	unsigned n_idle;

	/* Of an event handle */
	int epoll;
	int timer;
	uint64_t armed_usec; // what the timer is set to, UINT64_MAX: off
	struct post_list posts;
	struct op_list waiting_short; // for their turn
	struct op_list waiting_long; // for a connection, at first or again
	struct op_list running;
	struct op_list ended; // and not freed yet
	struct op_list ready; // running ones with replies that were read and not told
	struct op_list untold; // ended ones whose callback does not know
	struct op_list limited; // those with a deadline, the first one first
	_Atomic(const char *) processor; // of the thread that is inside of ellu_process(); NULL: none is
	unsigned n_short; // running operations that take turns
	bool in_order; // they share one connection
	uint64_t retry_usec; // when to try again to connect for a waiting one; 0: nothing to try
	struct backoff backoff; // of the tries to resume
	TAILQ_HEAD(, off_loop_job) jobs; // functions off the loop, those that run first
	unsigned n_running_jobs;
	ellu_close_fn *on_close;
	void *on_close_userdata;
};

/* In a child after fork(): epoll, timer and connections are the parent's, and are left alone. */
bool handle_is_forked(const struct ellu *handle);

/* 0, or why a call in `mode` cannot start here. */
int handle_check(const struct ellu *handle, unsigned mode);

/* Microseconds, and the time when they are over; -EINVAL for what is no number between 0 and a year. */
int handle_duration(double seconds, uint64_t *ret_usec);
int handle_deadline(double seconds, uint64_t *ret_usec);

/* An idle connection, else a new one, as connection_open() does it. */
int handle_take_connection(struct ellu *handle, uint64_t patience_usec, struct connection **ret);
/* Only a connection on which everything was read may come back. */
void handle_give_connection(struct ellu *handle, struct connection *connection);

struct ellu *handle_new(unsigned mode); // NULL without memory
struct ellu *handle_ref(struct ellu *handle);
struct ellu *handle_unref(struct ellu *handle);

/* From any thread. */
void handle_post(struct ellu *handle, struct post *post);
/* Runs one that waits; false: there was none. */
bool handle_run_post(struct ellu *handle, bool closed);
/* Until then there is nothing due; posts are at once. */
void handle_arm(struct ellu *handle, uint64_t due_usec);

/* Whether this thread is inside of ellu_process() for the handle. */
bool handle_is_processing(const struct ellu *handle);
