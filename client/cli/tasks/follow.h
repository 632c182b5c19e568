/*
 * Following a task to its end, from the stream of WatchTask or of the method that started it:
 * progress, log lines, and what Ctrl-C means.
 */
#pragma once

#include "client/cli/cli.h"
#include "proto/wire/method.h"

/* What starts or follows a task. */
struct submission {
	const struct method *method;
	const void *request; // of that method; says `detach` as the arguments do
	bool verdicts; // it brings verdicts of its own, not an experiment's results
	bool is_lost; // with its end: nothing of it is recorded that one could continue
	const char *again; // the command line that goes on after Ctrl-C; NULL: a retry of the task
	bool may_be_outrun; // a collection of another version is SUBMIT_OUTRUN, and not told
};

#define SUBMIT_OUTRUN 256 // in the place of an exit status

struct follow {
	struct cli *cli;
	const struct submission *submission;
	bool started; // by its method: Ctrl-C cancels the task, nobody else minds its cost limit

	int64_t task_id; // 0 until it is known
	int64_t experiment_id; // 0 until the end says it
	char status[16]; // the terminal one, "" without
	char *error; // the terminal one's, or NULL
	const struct ellu_progress *progress; // the latest, or NULL
	const struct ellu_task_result *result; // of the end, or NULL
	const void *kept_progress; // the reply that `progress` lies in
	const void *kept_result;
	const void *kept_present; // the reply of a method that made no task, or NULL
	bool interrupted;
	bool cancelled; // as Ctrl-C asked
	char told_hold[16]; // what was last said of it, "" when it is on none
	bool told_pending; // why it does not begin
	bool told_simulated; // that the built-in model answers
	char told_last; // character of an answer that is printed as it comes; NUL: none was
	struct ellu_stream *stream;
	size_t row; // of the progress bar
	bool ended; // there, or before
	int outcome; // 0 once the task has ended, else the exit status; what is wrong has been said
};

/* As cli_fail_request() where a task is refused. */
int follow_refused(const struct cli *cli, const struct submission *submission, int code,
		   const struct ellu_error *error);

/* Until the task ends: 0. Else the exit status, after saying why. */
int follow(struct follow *follow);

/* The same of several at a time, under these names, as each one's `outcome`; at most PROGRESS_ROWS_MAX. A
 * Ctrl-C is for all. */
void follow_all(struct follow *all, size_t n, const char *const *labels);

/* Behind an answer that was printed as it came: what follows is on a line of its own. */
void follow_end_line(const struct follow *follow);

/* Why a task that has ended did not succeed, and what to do. */
void follow_tell_end(const struct follow *follow);

void follow_done(struct follow *follow);

/* What a model says: where it is read on, as it is; a terminal is not to be commanded by it. */
void follow_print_text(const char *text);
