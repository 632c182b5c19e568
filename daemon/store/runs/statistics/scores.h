/* How an evaluator scored, counted beside a walk over responses. */
#pragma once

#include "daemon/store/engine/tx.h"
#include "daemon/store/runs.h"
#include "proto/statistics/statistics.h"

#define SCORE_BINS 10

/* Zeroed at first. */
struct scores {
	int64_t n;
	double row_sum; // of the row at hand
	int64_t row_n;
	struct clusters clusters; // before it
	int64_t bins[SCORE_BINS];
};

void scores_add(struct scores *scores, double score);
/* All of a row was added: its scores are one cluster. Where rows are nobody's concern, each score is
 * one, and is ended by itself. */
void scores_end_row(struct scores *scores);
/* `ratings` are those that were recorded, of `n_total` that there could be. NULL without memory. */
const struct ellu_evaluator_scores *scores_tell(struct tx *tx, const struct scores *scores,
						const struct run_measure *measure, int64_t ratings,
						int64_t n_total);
