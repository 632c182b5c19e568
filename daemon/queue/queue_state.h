/*
 * The queue from inside, for the files that are its parts:
 *
 *	queue.c	submissions, start, stop and drain
 *	running.c	a task from its claim to its end, and what its owner wants of it meanwhile
 *	budget.c	who is on hold for what was spent, and when that is over
 *	news.c	what is told of a task
 *	watch.c, watch_history.c, watch_cursor.c, monitor.c, monitor_page.c, audience.c, event_rows.c	who is told
 *	live_task.c	the state that it is in
 *	trial.c, schedule.c, rejections.c	who may start, and when
 *	rest.c	who waits until nothing runs
 */
#pragma once

#include "daemon/queue/live_task.h"
#include "daemon/queue/monitor.h"
#include "daemon/queue/news.h"
#include "daemon/queue/queue.h"
#include "daemon/queue/rejections.h"
#include "daemon/queue/schedule.h"
#include "daemon/queue/trial.h"
#include "daemon/queue/watch.h"
#include "daemon/work/experiment/leftovers.h"
#include "daemon/work/work.h"

#define WATCH_BUCKETS 64

struct queue {
	struct queue_options options;
	struct schedule *schedule;
	struct live_tasks tasks;
	struct monitors monitors;
	struct log_backlog log_backlog;
	struct work *work;
	int64_t n_watches;
	struct watch *reading[WATCH_BUCKETS]; // whose pages are with the store
	int64_t n_outstanding; // operations with the store that end in a callback here
	int64_t n_aside; // tasks that workers have and that take no place
	enum store_trouble trouble;
	bool stopping;
	bool revoking; // and the stop revokes what waits and runs
	bool draining;
	struct trial trial;
	struct leftovers *leftovers;
	struct queue_drain *drains; // wait until nothing runs
	struct rejections *rejections;
	void (*ready)(void *userdata);
	void (*stopped)(void *userdata);
	void *userdata; // of `ready`, then of `stopped`
	struct tasks_pending_page page;
	struct event *day; // time to look whether it is another; or a task is on hold for its budget
	int64_t budget_day; // on which such tasks were last asked for; at first that of the start
};

/* Whether no worker has anything. */
static inline bool queue_is_still(const struct queue *queue)
{
	return !schedule_n_running(queue->schedule) && !queue->n_aside;
}

static inline bool queue_is_open(const struct queue *queue)
{
	return !queue->stopping && !queue->draining && !queue->trouble;
}

/* Whether a task may be claimed at all, but for one that is tried. */
static inline bool queue_may_start(const struct queue *queue)
{
	return queue_is_open(queue) && !trial_is_on(&queue->trial);
}

/* Counts what is with the store; at rest a stop or a drain completes (rest.c). */
void queue_count_outstanding(struct queue *queue, int change);

/* ---- From claim to end (running.c) ---- */

/* What the workers report to the queue. */
struct work_events running_events(struct queue *queue);
/* Claims what may start now. */
void queue_claim_next(struct queue *queue);
/* Takes over what a record from the store says. */
void running_take_record(struct live_task *task, const struct ellu_task *record);
/* Claimed: hands the task to a worker. */
void running_start(struct live_task *task, const struct ellu_task *record, int64_t attempt);
/* It ran for its time limit. */
void running_time_is_up(struct live_task *task);
/* It may go on, for all that was known when it asked. */
void running_take_hold(struct live_task *task, const struct store_request *request,
		       const struct ellu_task *record);
/* What a stop or a drain does with a task, whenever it comes upon it. */
void running_halt(struct live_task *task);
/* The static text of a hold that lies in a task's row; NULL for NULL. */
const char *running_lasting_hold(const char *hold);

/* ---- The hold of a budget (budget.c) ---- */

int budget_init(struct queue *queue);
void budget_done(struct queue *queue);
