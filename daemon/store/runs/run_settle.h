/* What the success of a task means for its experiment. */
#pragma once

#include "daemon/store/engine/tx.h"

/* In the transaction that makes the task SUCCESS: nothing of its run is missing any more, and an
 * experiment that was rated again takes over judge, mode, version, criteria and verdicts. */
int run_settle(struct tx *tx, int64_t task_id);
