/*
 * Starting a task and seeing it through: progress, then what it brought; with --detach only the
 * task.
 */
#pragma once

#include "client/cli/cli.h"
#include "proto/method.h"

struct submission {
	const struct method *method; // that starts or follows a task
	const void *request; // of that method; says `detach` as the arguments do
	bool verdicts; // it brings verdicts of its own, not an experiment's results
	const char *again; // the command line that goes on after Ctrl-C; NULL: a retry of the task
};

/* Connected. Returns the exit status. */
int submit(struct cli *cli, const struct submission *submission);
