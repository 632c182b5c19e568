/*
 * The running time of a task's claim, and its time limit. Time on hold is no running time, but for
 * what a provider makes the task wait. It is counted by the monotonic clock, stored when the claim
 * ends, and on the queue's loop like all of the queue.
 */
#pragma once

#include "daemon/queue/live_task.h"

/* Of the present claim, in microseconds. */
int64_t run_clock_elapsed(const struct live_task *task);
/* Counts, or stops counting, as the task's state wants it: after a change of its run or hold. */
void run_clock_set(struct live_task *task);
/* What it counted has been stored. */
void run_clock_reset(struct live_task *task);
