/* A quantity over responses, and what its rows come to: counted beside a walk. */
#pragma once

#include "daemon/store/engine/tx.h"
#include "daemon/store/runs/statistics/quantity.h"
#include "proto/statistics/statistics.h"

/* Zeroed at first. */
struct spread {
	struct quantity values;
	double row_sum; // of the row at hand
	int64_t row_n;
	struct clusters rows; // before it
};

int spread_add(struct tx *tx, struct spread *spread, int64_t value);
/* As scores_end_row(). */
void spread_end_row(struct spread *spread);
/* Values and what they are counted in, as a person knows it, are `unit` apart. NULL without memory. */
const struct ellu_spread *spread_tell(struct tx *tx, struct spread *spread, double unit);
