/* What a task has brought, printed: an experiment's results, verdicts, an answer, what a model made up. */
#pragma once

#include "client/cli/tasks/follow.h"

/* Of a task that has ended. Returns the exit status: with that of the gates. */
int outcome_print(struct cli *cli, const struct follow *follow);

/* What is the task's own: the answer of a call or a test, if any. Returns the exit status. */
int outcome_print_answer(const struct follow *follow);

/* What was there, so that no task was needed. */
int outcome_print_present(const struct record_type *type, const void *reply);

/* How to ask again for what failed, if anything. */
void outcome_tell_failed(const struct cli *cli, const struct ellu_experiment *experiment);
