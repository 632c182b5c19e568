/* SPDX-License-Identifier: MIT */
/*
 * Following a task to its end, from the stream of RunExperiment or WatchTask: progress, log
 * lines, and what Ctrl-C means.
 */
#pragma once

#include "client/cli/cli.h"

struct follow {
	struct cli *cli;
	struct ellu_stream *stream;
	/* The next of the stream's replies, whose event and task it gives. */
	int (*next)(struct ellu_stream *stream, const void **ret_reply,
		    const struct ellu_task_event **ret_event, const struct ellu_task **ret_task,
		    const struct ellu_error **ret_error);
	bool cancel_on_interrupt; // else Ctrl-C only leaves

	int64_t task_id; // 0 until it is known
	int64_t experiment_id; // 0 until the end says it
	char status[16]; // the terminal one, "" without
	char *error; // the terminal one's, or NULL
	const void *kept; // the reply that `progress` lies in
	const struct ellu_progress *progress; // the latest, or NULL
	bool interrupted;
};

/* Until the task ends: 0. Else the exit status, after saying why. */
int follow(struct follow *follow);

void follow_done(struct follow *follow);
