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
	bool may_be_outrun; // a collection of another version is SUBMIT_OUTRUN, and not told
};

#define SUBMIT_OUTRUN 256 // in the place of an exit status

/* As cli_fail_request() where the submission is refused. */
int submit_fail(const struct cli *cli, bool may_be_outrun, int code, const struct ellu_error *error);

/* Connected. Returns the exit status. */
int submit(struct cli *cli, const struct submission *submission);
