/*
 * Trials: when the daemon went down more than once while several tasks ran, each of them is
 * started by itself, one after the other, before anything else is. The one that brings the daemon
 * down again is found out; one that ran for a while without that is suspect no more.
 *
 * What a task is suspected of lies in its row, so that it outlives the daemon (store/recover.c).
 */
#pragma once

#include <stdint.h>

struct live_task;
struct queue;
struct trial;

#define TRIAL_USEC INT64_C(5000000)

int trial_init(struct queue *queue, void (*over)(struct queue *queue));
void trial_done(struct trial *trial);

/* The suspect that is to be started now, by itself; NULL: there is none. */
struct live_task *trial_next(struct queue *queue);
/* The task waits. */
void trial_want(struct live_task *task);
void trial_begin(struct live_task *task);
/* The task does not run any more. */
void trial_end(struct live_task *task);
