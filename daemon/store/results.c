/* SPDX-License-Identifier: MIT */
/* Aggregates: counts, sums and ordered picks in SQL, formulas in statistics.c. */
#include <errno.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/store/criterion.h"
#include "daemon/store/runs.h"
#include "daemon/store/statistics.h"
#include "proto/generated/interface.h"

struct results {
	struct tx *tx;
	int64_t experiment_id;
	int64_t judge_id;
	struct ellu_experiment_results *out;
	int64_t yes; // over all criteria
	int64_t decided;
	struct quantity {
		int64_t n;
		double mean;
	} durations, inputs, outputs; // of responses without error
};

static const struct ellu_yes_no *yes_no(struct tx *tx, int64_t yes, int64_t decided)
{
	struct ellu_yes_no *record = TX_RECORD(tx, struct ellu_yes_no);

	if (record && decided > 0) {
		record->yes = tx_double_value(tx, (double)yes / (double)decided);
		record->no = tx_double_value(tx, (double)(decided - yes) / (double)decided);
	}
	return record;
}

static const struct ellu_proportion *proportion(struct tx *tx, int64_t yes, int64_t n_scored,
						int64_t n_total)
{
	struct ellu_proportion *record = TX_RECORD(tx, struct ellu_proportion);
	double low, high;

	if (!record)
		return NULL;
	record->n_scored = n_scored;
	record->n_total = n_total;
	if (n_scored > 0) {
		wilson_interval(yes, n_scored, &low, &high);
		record->value = tx_double_value(tx, (double)yes / (double)n_scored);
		record->low = tx_double_value(tx, low);
		record->high = tx_double_value(tx, high);
	}
	return record;
}

static int load_experiment(struct results *results)
{
	struct tx *tx = results->tx;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT e.judge_id, coalesce(json_extract(e.config_snapshot,"
				 " '$.provider') = 'simulated', 0) OR coalesce(j.kind = 'simulated', 0)"
				 " FROM experiments e LEFT JOIN judges j ON j.id = e.judge_id"
				 " WHERE e.id = ?1", "i", results->experiment_id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r < 0)
		return r;
	if (r == 0)
		return fault_not_found(tx->fault, "experiment", NULL, results->experiment_id);
	results->judge_id = column_int_or(q, 0, 0);
	results->out->simulated = column_int(q, 1) != 0;
	return 0;
}

#define QUANTITY(column)                                                                        \
	"count(" column ") FILTER (WHERE error IS NULL), avg(" column ") FILTER (WHERE error IS NULL)"

static int count_responses(struct results *results)
{
	struct ellu_experiment_results *out = results->out;
	struct tx *tx = results->tx;
	QUERY q = NULL;
	QUERY sums = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT count(*), count(error), "
				 QUANTITY("duration_usec") ", " QUANTITY("input_tokens") ", "
				 QUANTITY("output_tokens") " FROM responses WHERE experiment_id = ?1",
		     "i", results->experiment_id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r < 0)
		return r;
	out->responses = column_int(q, 0);
	out->failed_responses = column_int(q, 1);
	results->durations = (struct quantity){ column_int(q, 2), column_double(q, 3) };
	results->inputs = (struct quantity){ column_int(q, 4), column_double(q, 5) };
	results->outputs = (struct quantity){ column_int(q, 6), column_double(q, 7) };
	r = db_query(tx->db, &sums, "SELECT sum(input_tokens), sum(output_tokens), sum(cost_nanodollars)"
				    " FROM experiment_epochs WHERE experiment_id = ?1",
		     "i", results->experiment_id);
	if (r >= 0)
		r = db_next(tx->db, sums);
	if (r < 0)
		return r;
	out->total_input_tokens = column_int(sums, 0);
	out->total_output_tokens = column_int(sums, 1);
	out->cost = tx_int(tx, sums, 2);
	return 0;
}

/* ratings, decided ones, and those that are YES, of one measure. */
static int count_ratings(struct results *results, const struct run_measure *measure,
			 struct tx_list *criteria)
{
	struct ellu_criterion_result *record;
	struct tx *tx = results->tx;
	int64_t ratings, decided, yes;
	QUERY q = NULL;
	int r;

	record = TX_RECORD(tx, struct ellu_criterion_result);
	if (!record)
		return -ENOMEM;
	r = db_query(tx->db, &q, "SELECT count(*), count(value), coalesce(sum(value >= 0.5), 0)"
				 " FROM ratings WHERE experiment_id = ?1 AND judge_id = ?2"
				 " AND measure_id = ?3",
		     "iii", results->experiment_id, results->judge_id, measure->id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r < 0)
		return r;
	ratings = column_int(q, 0);
	decided = column_int(q, 1);
	yes = column_int(q, 2);
	record->criterion_id = measure->criterion_id;
	record->criterion = measure->text;
	record->mean = yes_no(tx, yes, decided);
	record->yes = proportion(tx, yes, decided, results->out->responses);
	record->failed = ratings - decided;
	results->out->ratings += ratings;
	results->out->failed_ratings += ratings - decided;
	results->decided += decided;
	results->yes += yes;
	return tx_append(tx, criteria, record);
}

/* Responses without error that every measure says YES to. */
static int count_successes(struct results *results, size_t n_measures, int64_t *ret_successes)
{
	struct tx *tx = results->tx;
	int r;

	*ret_successes = results->out->responses - results->out->failed_responses;
	if (n_measures == 0)
		return 0;
	r = db_int(tx->db, ret_successes,
		   "SELECT count(*) FROM responses r WHERE r.experiment_id = ?1 AND r.error IS NULL AND"
		   " (SELECT count(*) FROM ratings g WHERE g.response_id = r.id AND g.judge_id = ?2"
		   "  AND g.value >= 0.5 AND g.measure_id IN (SELECT measure_id"
		   "  FROM experiment_measures WHERE experiment_id = ?1)) = ?3",
		   "iii", results->experiment_id, results->judge_id, (int64_t)n_measures);
	return r < 0 ? r : 0;
}

/* Nearest-rank percentiles: one sorted walk, and no further than the last pick. */
static int spread(struct results *results, const struct quantity *quantity, const char *sorted_sql,
		  double unit, const struct ellu_spread **ret_spread)
{
	struct tx *tx = results->tx;
	struct ellu_spread *record = TX_RECORD(tx, struct ellu_spread);
	int64_t p50, p95;
	QUERY q = NULL;
	int r;

	if (!record)
		return -ENOMEM;
	*ret_spread = record;
	record->n_scored = quantity->n;
	if (quantity->n == 0)
		return 0;
	record->mean = tx_double_value(tx, quantity->mean / unit);
	p50 = nearest_rank(50, quantity->n);
	p95 = nearest_rank(95, quantity->n);
	r = db_query(tx->db, &q, sorted_sql, "i", results->experiment_id);
	for (int64_t rank = 1; r >= 0 && rank <= p95 && (r = db_next(tx->db, q)) > 0; rank++) {
		if (rank == p50)
			record->p50 = tx_double_value(tx, column_double(q, 0) / unit);
		if (rank == p95)
			record->p95 = tx_double_value(tx, column_double(q, 0) / unit);
	}
	return r < 0 ? r : 0;
}

#define SORTED(column)                                                                          \
	"SELECT " column " FROM responses"                                                      \
	" WHERE experiment_id = ?1 AND error IS NULL AND " column " IS NOT NULL ORDER BY " column

static int spreads(struct results *results)
{
	struct ellu_experiment_results *out = results->out;
	int r;

	r = spread(results, &results->durations, SORTED("duration_usec"), USEC_PER_SEC,
		   &out->duration_seconds);
	if (r >= 0)
		r = spread(results, &results->inputs, SORTED("input_tokens"), 1, &out->input_tokens);
	if (r >= 0)
		r = spread(results, &results->outputs, SORTED("output_tokens"), 1, &out->output_tokens);
	return r;
}

static int results_compute_run(struct tx *tx, struct store_request *request)
{
	struct results_compute *op = (struct results_compute *)request;
	struct results results = { .tx = tx, .experiment_id = op->experiment_id };
	struct tx_list measures = { 0 }, criteria = { 0 };
	struct ellu_experiment_results *out = TX_RECORD(tx, struct ellu_experiment_results);
	int64_t successes;
	int r;

	if (!out)
		return -ENOMEM;
	results.out = out;
	r = load_experiment(&results);
	if (r >= 0)
		r = count_responses(&results);
	if (r >= 0)
		r = experiment_measures(tx, op->experiment_id, &measures);
	for (size_t i = 0; r >= 0 && i < measures.n; i++)
		r = count_ratings(&results, measures.items[i], &criteria);
	if (r >= 0)
		r = count_successes(&results, measures.n, &successes);
	if (r >= 0)
		r = spreads(&results);
	if (r < 0)
		return r;
	out->mean_all_ratings = yes_no(tx, results.yes, results.decided);
	out->success_rate = proportion(tx, successes, out->responses, out->responses);
	out->criteria = tx_list_items(tx, &criteria);
	out->n_criteria = criteria.n;
	op->ret_results = out;
	return 0;
}

void store_results_compute(struct store *store, struct results_compute *op)
{
	tx_post(store, &op->request, STORE_SCAN, results_compute_run);
}
