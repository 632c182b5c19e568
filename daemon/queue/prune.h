/*
 * Pruning the logs of tasks that ended long ago: on demand, and by itself once a day when the
 * configuration says how long they are kept. So, by itself alone, do experiments and tasks go. All of it
 * goes through the store a chunk at a time.
 */
#pragma once

#include "daemon/store/tasks.h"

struct queue;

/* On demand. Zeroed but for what follows; `done` is called with result and fault in op.request. */
struct prune {
	struct tasks_prune op; // with scope and ended_before
	int64_t ret_tasks; // that lost lines
	int64_t ret_lines;
	void (*done)(struct prune *prune);
	void *userdata;
	struct queue *queue; // the queue's own
};
void prune_start(struct queue *queue, struct prune *prune);

/* After which what ended is not kept; 0: for ever. */
struct retention_days {
	int64_t logs; // of tasks
	int64_t experiments;
	int64_t tasks;
};

/* By itself: at once, then daily. */
struct retention;
int retention_new(struct queue *queue, struct retention **ret_retention);
struct retention *retention_free(struct retention *retention);
void retention_set(struct retention *retention, const struct retention_days *days);
