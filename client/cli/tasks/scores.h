/* What evaluators said, for people. */
#pragma once

#include "client/cli/cli.h"

/* One score, those of a judge, or what a batch or a comparison came to. */
bool scores_are_in(const struct ellu_task_result *result);
/* Where the simulated model has scored. */
void scores_tell_simulated(const struct cli *cli);
int scores_print(const struct cli *cli, const struct ellu_task_result *result, int64_t task_id);
