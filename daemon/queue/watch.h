/*
 * A watch follows one task for one caller: its present state first, or what came after a
 * sequence; then every change, each log line once and in order, until the terminal state.
 *
 * A watch is a cursor into the task's history. While it keeps up it is fed from memory; one that
 * was paused, or came late, reads what it missed from the store. So nothing is queued for it, and
 * telling it can wait for its caller's turn. Those of one caller that miss the same read it once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/queue/watch_options.h"
#include "elluminate-types.h"
#include "proto/fault/fault.h"

struct live_task;
struct queue;
struct task_event_row;
struct watch;

/* Nothing is delivered before it is started. */
int watch_new(struct queue *queue, const struct watch_options *options, struct watch **ret_watch);
void watch_start(struct watch *watch);
/* The same for a task that was just made and whose whole history is at hand, or that was just read, for
 * a watch from its present state, without rows: that is delivered at once, so that the watch may be
 * gone afterwards. */
void watch_start_with(struct watch *watch, const struct ellu_task *task,
		      const struct task_event_row *rows, size_t n_rows);
struct watch *watch_free(struct watch *watch);

/* The other side reads slowly: nothing is delivered until watch_resume(). */
void watch_pause(struct watch *watch);
void watch_resume(struct watch *watch);
/* Tells what had to wait. The watch may be freed inside. */
void watch_go_on(struct watch *watch);

extern const struct audience_kind watch_audience;

/* The task goes: its watches read the rest from the store. */
void watches_forget(struct live_task *task);
