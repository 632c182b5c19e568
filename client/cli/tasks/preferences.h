/* Whose answers a judge prefers, pair by pair and all in all. */
#pragma once

#include "client/cli/cli.h"
#include "client/cli/view/table.h"

/* Of all cases. Returns the exit status. */
int preferences_print(const struct cli *cli, const struct ellu_preference_result *result, int64_t task_id);

/* Of one of them. */
void column_preferences(struct table *table, const void *item);
