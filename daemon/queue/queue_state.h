/* The queue from inside, for the files that are its parts. */
#pragma once

#include "daemon/queue/live_task.h"
#include "daemon/queue/queue.h"
#include "daemon/queue/rejections.h"
#include "daemon/queue/schedule.h"
#include "daemon/queue/trial.h"

struct queue {
	struct queue_options options;
	struct schedule *schedule;
	struct live_tasks tasks;
	struct monitors monitors;
	struct log_lane log_lane;
	struct work *work;
	int64_t n_watches;
	int64_t n_outstanding; // operations with the store that end in a callback here
	enum store_trouble trouble;
	bool stopping;
	bool revoking; // and the stop revokes what waits and runs
	bool draining;
	struct trial trial;
	struct queue_drain *drains; // wait until nothing runs
	struct rejections *rejections;
	void (*ready)(void *userdata);
	void (*stopped)(void *userdata);
	void *userdata; // of `ready`, then of `stopped`
	struct tasks_pending_page page;
};

static inline bool queue_is_open(const struct queue *queue)
{
	return !queue->stopping && !queue->draining && !queue->trouble;
}

/* Whether a task may be claimed at all, but for one that is tried. */
static inline bool queue_may_start(const struct queue *queue)
{
	return queue_is_open(queue) && !trial_is_on(&queue->trial);
}

/* drain.c: answers those who wait for the end of what runs. */
void queue_check_drained(struct queue *queue);
