/*
 * The methods that answer a task, and those that follow one, in one shape: what their replies
 * hold is the same, only the types differ.
 */
#pragma once

#include "client/elluminate.h"
#include "proto/record.h"

struct task_reply {
	const void *reply; // ellu_free() frees it with the others
	const struct ellu_task_event *event; // or NULL
	const struct ellu_task *task; // or NULL
};

struct task_method {
	const struct record_type *reply_type;
	int (*call)(struct ellu *daemon, const void *request, struct task_reply *ret_reply,
		    const struct ellu_error **ret_error);
	/* Of those that follow a task; `next` is as ellu_stream_next(). */
	int (*stream)(struct ellu *daemon, const void *request, struct ellu_stream **ret_stream);
	int (*next)(struct ellu_stream *stream, struct task_reply *ret_reply,
		    const struct ellu_error **ret_error);
};

/* Each is named like its method, and takes the request of that method. */
extern const struct task_method method_get_task;
extern const struct task_method method_cancel_task;
extern const struct task_method method_pause_task;
extern const struct task_method method_resume_task;
extern const struct task_method method_tune_task;

extern const struct task_method method_watch_task;
extern const struct task_method method_retry_task;
extern const struct task_method method_run_experiment;
extern const struct task_method method_rate_experiment;
extern const struct task_method method_rate_responses;
extern const struct task_method method_retry_failed;
