/*
 * What owners want of a task: that it ends, rests, goes on, or goes otherwise; and what a tool brought that it
 * waits for. The caller has checked that the task may be seen.
 */
#pragma once

#include <stdint.h>

#include "daemon/store/tasks.h"

struct queue;

/* What is wanted of a task. Answers once it is committed, with the task as it is then; a cancel, with
 * what the task had become before. */
struct queue_steering {
	enum queue_steer { QUEUE_CANCEL, QUEUE_PAUSE, QUEUE_TUNE } what;
	int64_t task_id;
	union {
		struct store_request request; // of each
		struct task_change cancel; // the queue's own
		struct task_pause pause; // with `resume`, or without
		struct task_tune tune; // with what is to change
	};
	void (*done)(struct queue_steering *steering, const struct ellu_task *task);
	void *userdata;
	struct queue *queue; // the queue's own
};
void queue_steer_task(struct queue *queue, struct queue_steering *steering);

/* What one of the calls of tools brought that a task waits for. -ENOENT: it waits for no
 * such one; -ENOMEM. */
int queue_take_tool_result(struct queue *queue, int64_t task_id, const char *tool_call_id, const char *content);
