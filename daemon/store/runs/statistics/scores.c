#include "daemon/store/runs/statistics/scores.h"

#include <math.h>
#include <string.h>

#include "daemon/store/runs/statistics/proportion.h"
#include "proto/generated/interface.h"

void scores_add(struct scores *scores, double score)
{
	size_t bin = (size_t)(score * SCORE_BINS);

	scores->n++;
	scores->row_n++;
	scores->row_sum += score;
	scores->bins[bin < SCORE_BINS ? bin : SCORE_BINS - 1]++;
}

void scores_end_row(struct scores *scores)
{
	clusters_add(&scores->clusters, scores->row_sum, scores->row_n);
	scores->row_sum = 0;
	scores->row_n = 0;
}

static const double *share_of(struct tx *tx, double value)
{
	return isnan(value) ? NULL : tx_double_value(tx, value < 0 ? 0 : value > 1 ? 1 : value);
}

const struct ellu_evaluator_scores *scores_tell(struct tx *tx, const struct scores *scores,
						const struct run_measure *measure, int64_t ratings,
						int64_t n_total)
{
	struct ellu_evaluator_scores *record = TX_RECORD(tx, struct ellu_evaluator_scores);
	int64_t *bins = tx_array(tx, SCORE_BINS, sizeof(*bins));
	struct estimate mean;

	if (!record || !bins)
		return NULL;
	memcpy(bins, scores->bins, sizeof(scores->bins));
	record->evaluator = measure->use->evaluator;
	record->variables = measure->use->variables;
	record->n_scored = scores->n;
	record->n_total = n_total;
	record->failed = ratings - scores->n;
	record->distribution = bins;
	record->n_distribution = SCORE_BINS;
	if (scores->n == 0)
		return record;
	mean = clusters_mean(&scores->clusters, CONFIDENCE);
	record->mean = tx_double_value(tx, scores->clusters.sum / (double)scores->n);
	record->low = share_of(tx, mean.low);
	record->high = share_of(tx, mean.high);
	return tx->oom ? NULL : record;
}
