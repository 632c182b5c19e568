#pragma once

#include "client/cli/cli.h"

/* Prints the verdicts of a rating task in the order asked, and what they came to (may be NULL).
 * Returns the exit status. */
int verdicts_print(struct cli *cli, int64_t task_id, const struct ellu_rating_results *results);
