/*
 * Following a task to its end, from the stream of WatchTask or of the method that started it:
 * progress, log lines, and what Ctrl-C means.
 */
#pragma once

#include "client/cli/cli.h"
#include "client/cli/task_method.h"

struct follow {
	struct cli *cli;
	struct ellu_stream *stream;
	const struct task_method *method; // that the stream is of
	bool cancel_on_interrupt; // else Ctrl-C only leaves

	int64_t task_id; // 0 until it is known
	int64_t experiment_id; // 0 until the end says it
	char status[16]; // the terminal one, "" without
	char *error; // the terminal one's, or NULL
	const struct ellu_progress *progress; // the latest, or NULL
	const struct ellu_task_result *result; // of the end, or NULL
	const void *kept_progress; // the reply that `progress` lies in
	const void *kept_result;
	bool interrupted;
};

/* Until the task ends: 0. Else the exit status, after saying why. */
int follow(struct follow *follow);

void follow_done(struct follow *follow);
