/*
 * Following a task for a call: events while `more` was asked for, else one answer at the end.
 * Every method that starts a task, and WatchTask, answers through here; their replies have the
 * same shape, `(event: ?TaskEvent, task: ?Task)`.
 */
#pragma once

#include "daemon/api/call.h"
#include "daemon/store/tasks.h"

/* Answers a submission that was stored: at once when detached, else by following the task. */
void follow_submitted(struct call *call, const struct task_submit *op, bool detach,
		      bool cancel_on_disconnect, double min_interval_seconds);

/* `after_sequence` -1: from the present state. */
void follow_task(struct call *call, int64_t task_id, int64_t after_sequence,
		 double min_interval_seconds);
