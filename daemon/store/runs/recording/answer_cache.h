/* What the answers that a user keeps take, and how often one was given again. */
#pragma once

#include "daemon/store/engine/tx.h"

int answer_cache_status(struct tx *tx, int64_t uid, const struct ellu_response_cache_status **ret_status);
