/*
 * The queue: the life of tasks. It admits what is submitted, claims what may start, hands it to
 * the workers, applies time limits and cancels, and tells watchers of every change. The truth is
 * in the store; in memory are only the tasks that wait or run, and who watches.
 *
 * It lives on one loop (the front's); every function and callback here belongs to its thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/turns.h"
#include "daemon/queue/queue_options.h"
#include "daemon/queue/rest.h"
#include "daemon/store/tasks.h"
#include "elluminate-types.h"

struct llm_stream;
struct queue;
struct work;

int queue_new(const struct queue_options *options, struct queue **ret_queue);
/* Every task must have come to rest: see queue_stop(). */
struct queue *queue_free(struct queue *queue);

/* Reads what waits in the store, then starts claiming. `ready` is called once the list is read. */
void queue_start(struct queue *queue, void (*ready)(void *userdata), void *userdata);

/* Stops claiming and issuing, lets the calls in flight finish, and leaves tasks PENDING; with
 * `revoke` aborts the calls and ends all that waits and runs as REVOKED. `stopped` is called when
 * nothing runs any more. */
void queue_stop(struct queue *queue, bool revoke, void (*stopped)(void *userdata), void *userdata);
/* During a stop: aborts the calls that are still in flight, and waits no more for the store. */
void queue_hurry(struct queue *queue);

/* What keeps the store from writing; running tasks show the hold `storage`. */
void queue_storage_trouble(struct queue *queue, enum store_trouble trouble);
/* What the store says about tasks' histories: there are events up to this number. */
void queue_events_added(struct queue *queue, int64_t number);

/* Stops claiming and gives back what runs, but goes on serving. */
void queue_drain(struct queue *queue, struct queue_drain *drain);
void queue_undrain(struct queue *queue);
bool queue_is_draining(const struct queue *queue);

/* A submission of any kind. `op` is filled but for its request's callbacks, `queue_full` and
 * `start`. */
struct queue_submission {
	struct task_submit op;
	enum task_priority priority; // that the task will have
	struct llm_stream *stream; // to who reads what a call is answered, or NULL; borrowed
	void (*done)(struct queue_submission *submission);
	void *userdata;
	struct queue *queue; // the queue's own
};
/* Calls `done` at once when the user was rejected too often lately: TooManyRequests. */
void queue_submit(struct queue *queue, struct queue_submission *submission);

/* No task waits or runs, and nothing of the queue is with the store. */
bool queue_is_idle(const struct queue *queue);
/* Nothing of the queue is with the store. */
bool queue_is_quiet(const struct queue *queue);
int64_t queue_n_watchers(const struct queue *queue);
int64_t queue_n_waiting(const struct queue *queue);
int64_t queue_n_running(const struct queue *queue);
int64_t queue_n_on_hold(const struct queue *queue); // tasks with any hold
const struct queue_limits *queue_get_limits(const struct queue *queue);
/* Tasks that wait or run beyond lowered limits stay. */
void queue_set_limits(struct queue *queue, const struct queue_limits *limits);
struct work *queue_get_work(struct queue *queue);
