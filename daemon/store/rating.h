/* SPDX-License-Identifier: MIT */
/* Ratings as records. */
#pragma once

#include "daemon/store/tx.h"

/* The ratings of one response by one judge, in the order of their ids; struct ellu_rating. */
int ratings_of_response(struct tx *tx, int64_t response_id, int64_t judge_id,
			struct tx_list *ratings);
