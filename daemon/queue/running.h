/*
 * A task from its claim to its end: the claims, what the workers report, and the time limit. The store
 * decides and commits each change; what follows from it for the schedule and the worker is done when it
 * has answered, so that a claim or an end that was on its way at the same time finds either the old task
 * or the new one.
 */
#pragma once

#include <stdint.h>

#include "daemon/work/work.h"

struct live_task;
struct queue;
struct store_request;

/* What the workers report to the queue. */
struct work_events running_events(struct queue *queue);
/* Claims what may start now. */
void queue_claim_next(struct queue *queue);
/* Takes over what a record from the store says. */
void running_take_record(struct live_task *task, const struct ellu_task *record);
struct work_tuning running_tuning(const struct ellu_task *record);
/* Claimed: hands the task to a worker. */
void running_start(struct live_task *task, const struct ellu_task *record, int64_t attempt);
/* It ran for its time limit. */
void running_time_is_up(struct live_task *task);
/* A change of status was committed: publishes it and does what follows from it. `attempt` is
 * that of a claim, else 0. The task may be gone afterwards. */
void running_take_change(struct live_task *task, const struct store_request *request,
			 const struct ellu_task *record, int64_t attempt);
/* A change of the hold was committed: the same for it. */
void running_take_hold(struct live_task *task, const struct store_request *request,
		       const struct ellu_task *record);
/* What a stop or a drain does with a task, whenever it comes upon it. */
void running_halt(struct live_task *task);
/* The static text of a hold that lies in a task's row; NULL for NULL. */
const char *running_lasting_hold(const char *hold);
