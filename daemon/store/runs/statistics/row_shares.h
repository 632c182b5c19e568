/* How many rows succeed in any of their epochs, in all, in most, and in so many tries. */
#pragma once

#include "daemon/store/engine/tx.h"

#define PASS_AT_MAX 11

/* Zeroed at first. */
struct row_shares {
	int64_t n;
	double any, all, majority;
	double passed[PASS_AT_MAX];
	int64_t n_tried[PASS_AT_MAX]; // that have so many epochs
};

/* Counts a row, `yes` of whose `n` epochs succeeded. */
void row_shares_add(struct row_shares *shares, int64_t yes, int64_t n);
int row_shares_tell(struct tx *tx, const struct row_shares *shares, const struct ellu_row_shares **ret_record);
