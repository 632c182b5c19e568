/*
 * Making a task for a call, and following one: events while `more` was asked for, else one answer at
 * the end. Every method that makes a task, and WatchTask, answers through here; their replies begin
 * alike, `(event: ?TaskEvent, task: ?Task)`.
 */
#pragma once

#include "daemon/api/call.h"

/* Of a method that makes a task (store_makes_task()): has it made, and answers at once when the call
 * is detached, else by following it. `priority`: that it will have. */
int submit_task(struct call *call, const char *priority);

/* From what came after that sequence, or from the present state where it is negative. Whether the caller may
 * see the task is found with it. */
void follow_task(struct call *call, int64_t task_id, int64_t after_sequence, double min_interval_seconds);
