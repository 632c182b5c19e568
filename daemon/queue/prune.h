/*
 * Pruning the logs of tasks that ended long ago: on demand, and by itself once a day when the
 * configuration says how long they are kept. Both go through the store a chunk at a time.
 */
#pragma once

#include "daemon/queue/queue.h"

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

/* By itself: at once, then daily. 0 days: never (again). */
struct retention;
int retention_new(struct queue *queue, struct retention **ret_retention);
struct retention *retention_free(struct retention *retention);
void retention_set_days(struct retention *retention, int64_t days);
