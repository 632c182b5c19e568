/* A live task from its claim to its end: the worker's reports, the time limit, the changes of
 * status and what is published of them. */
#pragma once

#include "daemon/queue/live_task.h"
#include "daemon/work/work.h"

/* What the workers report to the queue. */
struct work_events running_events(struct queue *queue);

/* Takes over what a record from the store says. */
void running_adopt(struct live_task *task, const struct ellu_task *record);
/* Claimed: hands the task to a worker. */
void running_start(struct live_task *task, const struct ellu_task *record, int64_t attempt);
/* A change of status was committed: publishes it and does what follows from it. `attempt` is
 * that of a claim, else 0. The task may be gone afterwards. */
void running_changed(struct live_task *task, const struct store_request *request,
		     const struct ellu_task *record, int64_t attempt);
/* Stops it without ending it: it becomes PENDING and waits for its turn again. */
void running_give_back(struct live_task *task);
/* Ends it as REVOKED because the daemon stops. */
void running_revoke(struct live_task *task);
/* A change of the hold was committed: the same for it. */
void running_held(struct live_task *task, const struct store_request *request,
		  const struct ellu_task *record);
/* What a record says of how a task is to run. */
struct work_tuning running_tuning(const struct ellu_task *record);
/* The static text of a hold that lies in a task's row; NULL for NULL. */
const char *running_lasting_hold(const char *hold);
/* Decides which hold it has, and so whether its time counts. */
void running_set_hold(struct live_task *task);
/* The store could not make the change. */
void running_retry_later(struct live_task *task, const struct fault *fault);
/* The task is no longer the queue's: it is terminal, or was never started. */
void running_let_go(struct live_task *task);
/* It ran for its time limit. */
void running_time_is_up(struct live_task *task);

/* ---- The queue's side (queue.c) ---- */

void queue_claim_next(struct queue *queue);
/* Until the daemon starts again. */
void queue_leave(struct queue *queue, struct live_task *task);
void queue_halt(struct live_task *task);
/* A task that is PENDING takes its place: it waits, or is held. Nothing for one whose run or
 * change of status is still to end: its end does. */
void queue_place(struct queue *queue, struct live_task *task);
/* The hold that only the queue knows of, or NULL. */
const char *queue_moment_hold(const struct live_task *task);
/* A sentence on that hold, or NULL. */
const char *queue_hold_reason(const struct live_task *task, const char *hold);
/* Counts what is with the store; at zero a stop may complete. */
void queue_count_outstanding(struct queue *queue, int change);
