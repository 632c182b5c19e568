/* Answers that were made elsewhere, on their way to an experiment: so many at once as the daemon takes. */
#pragma once

#include "client/cli/cli.h"

struct answers {
	struct cli *cli;
	const char *name; // of the file that they are from, for people
	json_object *experiment; // a Ref; borrowed
	int64_t added;
	int64_t present;

	/* What is not sent yet: */
	json_object *list;
	size_t bytes;
	size_t n; // of answers, verdicts and edits
	long line; // of the first
};

/* Both return the exit status, after saying what was wrong. The answer is borrowed. */
int answers_take(struct answers *answers, json_object *answer, long line);
int answers_send(struct answers *answers);
void answers_done(struct answers *answers);
