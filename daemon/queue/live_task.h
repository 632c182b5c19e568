/*
 * A live task: its place in the queue's table, its state and what goes with that, and its progress.
 */
#pragma once

#include "daemon/queue/live.h"

void task_told_done(struct task_told *told);

/* ---- The table ---- */

struct live_task *live_task_find(struct live_tasks *tasks, int64_t id);
int live_task_add(struct live_tasks *tasks, struct queue *queue, int64_t id,
		  struct live_task **ret_task);
/* Nobody is told of it any more: see news_end(). */
struct live_task *live_task_remove(struct live_tasks *tasks, struct live_task *task);
void live_tasks_each(struct live_tasks *tasks, void (*visit)(struct live_task *task));

/* ---- The state (live_task.c) ---- */

/* Goes to `state`, and to the place in the schedule that goes with it; status, hold and run are
 * as they are to be. -ENOMEM, where it had no place before: it is LIVE_LEFT then. */
int live_task_move(struct live_task *task, enum live_state state);
/* What its worker says that it waits for, or NULL. */
void live_task_set_work_hold(struct live_task *task, const char *hold);
/* A task that is PENDING waits, or is held. The same answer. */
int live_task_place(struct live_task *task);

/* The hold that is shown: the one that lasts, or that of the moment, which only the queue knows
 * and may have a sentence on; NULL, here too: none. */
const char *live_task_hold(const struct live_task *task);
const char *live_task_moment_hold(const struct live_task *task);
/* The one that lasts; `reason` is copied, or NULL. */
void live_task_set_hold(struct live_task *task, const char *hold, const char *reason);
const char *live_task_hold_reason(const struct live_task *task, const char *hold);
/* Running time of the present claim, in microseconds: time on hold is none, but for what a
 * provider makes the task wait. */
int64_t live_task_elapsed(const struct live_task *task);
/* What counted has been stored. */
void live_task_reset_clock(struct live_task *task);
/* Counts, or stops counting, as state and hold want it: after a change of the hold. */
void live_task_set_clock(struct live_task *task);

/* What it waits for is answered, or to be; the copies are its own. -ENOMEM. */
int live_task_set_tool_calls(struct live_task *task, const struct ellu_tool_call *const *tool_calls, size_t n);
bool live_task_has_tool_call(const struct live_task *task, const char *id);
void live_task_drop_tool_call(struct live_task *task, const char *id); // one that it has

/* Adds to a record read from the store what only the queue knows: a hold of the moment. */
void queue_overlay(struct queue *queue, struct ellu_task *task);

/* ---- Progress ---- */

/* Keeps a copy of `progress`, unless what is kept is ahead of it: what was read from the store may
 * be ahead of what a worker told on its way, and what was told once never falls. */
void live_task_set_progress(struct live_task *task, const struct ellu_progress *progress);

/* The progress as an event, as of now. */
const struct ellu_task_event *live_task_progress_event(struct live_task *task);
void live_task_forget_progress_event(struct live_task *task); // something in it changes
