/* What the queue consists of. */
#pragma once

#include "daemon/queue/live.h"
#include "daemon/queue/queue_options.h"
#include "daemon/store/tasks.h"

struct leftovers;
struct monitor;
struct monitor_page;
struct queue_drain;
struct rejections;
struct watch;
struct work;

#define WATCH_BUCKETS 64
#define MONITOR_PAGE_BUCKETS 64

/* Those who follow all tasks. */
struct monitors {
	struct monitor *first;
	struct audiences audiences; // of their callers
	const struct task_news *news; // what is being told, and its share; or NULL
	struct monitor_share *news_share;
	struct monitor_page *pages[MONITOR_PAGE_BUCKETS]; // being read or taken
	int64_t number; // the last event that the store told of
	struct live_task *moved; // tasks with progress, the latest first
	int64_t n_moves;
};

/* Lines that were just committed. */
struct log_backlog {
	struct live_task *first; // with lines that wait
	struct event *timer; // active: tells them in this turn; pending: of those that rest
};

/* Of a suspect (trial.h). */
struct trial {
	struct event *timer;
	int64_t task_id; // of the task that is tried; 0: none
	bool wanted; // a suspect may wait for its trial
	void (*over)(struct queue *queue); // whoever was tried ran for long enough
};

/* Whether nothing else may start. */
static inline bool trial_is_on(const struct trial *trial)
{
	return trial->wanted || trial->task_id != 0;
}

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
