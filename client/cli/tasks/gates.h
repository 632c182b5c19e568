/* What a run has to come to for `elluminate run` to exit with 0: --fail-under and the like. */
#pragma once

#include "client/cli/cli.h"

/* Whether the arguments ask for anything. */
bool gates_are_given(const struct arguments *arguments);

/* Whether it is met by the experiment's results: EXIT_BELOW after saying what is not, else 0, or the exit status of
 * what went wrong. What the comparison with an earlier one came to is always said. */
int gates_check(struct cli *cli, const struct ellu_experiment *experiment);
