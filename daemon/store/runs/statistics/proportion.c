#include "daemon/store/runs/statistics/proportion.h"

#include <math.h>

#include "daemon/store/engine/tx.h"
#include "proto/generated/interface.h"
#include "proto/statistics/statistics.h"

const struct ellu_yes_no *yes_no_make(struct tx *tx, int64_t yes, int64_t decided)
{
	struct ellu_yes_no *record = TX_RECORD(tx, struct ellu_yes_no);

	if (record && decided > 0) {
		record->yes = tx_double_value(tx, (double)yes / (double)decided);
		record->no = tx_double_value(tx, (double)(decided - yes) / (double)decided);
	}
	return record;
}

const struct ellu_proportion *proportion_make(struct tx *tx, double yes, int64_t n, int64_t n_scored,
					      int64_t n_total, const struct clusters *rows)
{
	const struct clusters independent = { .n = n, .n_values = n, .sum = yes };
	struct ellu_proportion *record = TX_RECORD(tx, struct ellu_proportion);
	struct ellu_row_sums *sums = record && rows ? TX_RECORD(tx, struct ellu_row_sums) : NULL;
	struct estimate estimate;

	if (!record)
		return NULL;
	record->n_scored = n_scored;
	record->n_total = n_total;
	record->rows = sums;
	if (sums) {
		sums->rows = rows->n;
		sums->sums_squared = rows->sum_squared;
		sums->sizes_squared = rows->size_squared;
		sums->products = rows->sum_size;
	}
	if (n_scored == 0)
		return record;
	record->value = tx_double_value(tx, yes / (double)n);
	estimate = clusters_proportion(rows ? rows : &independent, CONFIDENCE);
	if (!isnan(estimate.low)) {
		record->low = tx_double_value(tx, estimate.low);
		record->high = tx_double_value(tx, estimate.high);
	}
	return record;
}

const struct ellu_proportion *proportion_share(struct tx *tx, double sum, int64_t n)
{
	return proportion_make(tx, sum, n, n, n, NULL);
}

const struct clusters *proportion_rows(const struct ellu_proportion *proportion, int64_t yes, int64_t n,
				      struct clusters *rows)
{
	const struct ellu_row_sums *sums = proportion->rows;

	if (!sums)
		return NULL;
	*rows = (struct clusters){
		.n = sums->rows,
		.n_values = n,
		.sum = (double)yes,
		.sum_squared = sums->sums_squared,
		.size_squared = sums->sizes_squared,
		.sum_size = sums->products,
	};
	return rows;
}

void criterion_tell(struct tx *tx, struct ellu_criterion_result *record, int64_t yes,
			   int64_t decided, int64_t ratings, int64_t responses,
			   const struct clusters *rows)
{
	record->mean = yes_no_make(tx, yes, decided);
	record->yes = proportion_make(tx, (double)yes, decided, decided, responses, rows);
	record->failed = ratings - decided;
}
