/* SPDX-License-Identifier: MIT */
/*
 * Aggregates of an experiment: one walk over its responses and their ratings by key, cut into
 * short read transactions, so that neither the log nor another scan waits for a large one. What
 * was counted so far lives in the request's arena; formulas are in statistics.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/store/criterion.h"
#include "daemon/store/quantity.h"
#include "daemon/store/runs.h"
#include "daemon/store/statistics.h"
#include "proto/generated/interface.h"

/* Responses and ratings that one transaction looks at: a few milliseconds. */
#define STEP_ROWS 2000

struct tally {
	const struct run_measure *measure;
	int64_t ratings;
	int64_t decided;
	int64_t yes;
};

/* results_compute::state */
struct results {
	struct tx *tx; // of the present step
	int64_t experiment_id;
	int64_t judge_id;
	struct ellu_experiment_results *out;
	struct tally *tallies; // in the measures' order
	struct tally **by_id;
	size_t n_tallies;
	int64_t at; // the last response that was counted
	size_t n_looked; // rows in the present step
	int64_t successes; // responses without error that every measure says YES to
	struct quantity durations, inputs, outputs; // of responses without error
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

/* ---- Before the walk ---- */

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

static int compare_tallies(const void *a, const void *b)
{
	const struct tally *const *x = a, *const *y = b;

	return ((*x)->measure->id > (*y)->measure->id) - ((*x)->measure->id < (*y)->measure->id);
}

static int load_measures(struct results *results)
{
	struct tx *tx = results->tx;
	struct tx_list measures = { 0 };
	int r;

	r = experiment_measures(tx, results->experiment_id, &measures);
	if (r < 0)
		return r;
	results->tallies = tx_array(tx, measures.n, sizeof(*results->tallies));
	results->by_id = tx_array(tx, measures.n, sizeof(*results->by_id));
	if (!results->tallies || !results->by_id)
		return -ENOMEM;
	results->n_tallies = measures.n;
	for (size_t i = 0; i < measures.n; i++) {
		results->tallies[i].measure = measures.items[i];
		results->by_id[i] = &results->tallies[i];
	}
	qsort(results->by_id, measures.n, sizeof(*results->by_id), compare_tallies);
	return 0;
}

static int begin(struct tx *tx, struct results_compute *op, struct results **ret_results)
{
	struct results *results = tx_alloc(tx, sizeof(*results));
	int r;

	if (!results)
		return -ENOMEM;
	results->tx = tx;
	results->experiment_id = op->experiment_id;
	results->out = TX_RECORD(tx, struct ellu_experiment_results);
	if (!results->out)
		return -ENOMEM;
	r = load_experiment(results);
	*ret_results = results;
	return r < 0 ? r : load_measures(results);
}

/* ---- The walk ---- */

static struct tally *find_tally(const struct results *results, int64_t measure_id)
{
	const struct run_measure measure = { .id = measure_id };
	const struct tally wanted = { .measure = &measure };
	const struct tally *key = &wanted;
	struct tally **found = bsearch(&key, results->by_id, results->n_tallies, sizeof(*found),
				       compare_tallies);

	return found ? *found : NULL;
}

/* The response's ratings by the present judge; those of other measures are not this run's. */
static int count_ratings(struct results *results, int64_t response_id, size_t *ret_yes)
{
	struct tx *tx = results->tx;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT measure_id, value FROM ratings"
				 " WHERE response_id = ?1 AND judge_id = ?2",
		     "ii", response_id, results->judge_id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		struct tally *tally = find_tally(results, column_int(q, 0));
		bool decided = !column_null(q, 1), yes = decided && column_double(q, 1) >= 0.5;

		results->n_looked++;
		if (!tally)
			continue;
		tally->ratings++;
		tally->decided += decided;
		tally->yes += yes;
		*ret_yes += yes;
	}
	return r;
}

static int add_value(struct results *results, struct quantity *quantity, sqlite3_stmt *q,
		     int column)
{
	if (column_null(q, column))
		return 0;
	return quantity_add(quantity, results->tx->arena, column_int(q, column));
}

/* (id, failed, duration, input, output) */
static int count_response(struct results *results, sqlite3_stmt *q)
{
	bool failed = column_int(q, 1) != 0;
	size_t yes = 0;
	int r = 0;

	results->at = column_int(q, 0);
	results->n_looked++;
	results->out->responses++;
	results->out->failed_responses += failed;
	if (results->n_tallies > 0)
		r = count_ratings(results, results->at, &yes);
	if (r < 0 || failed)
		return r;
	results->successes += yes == results->n_tallies;
	r = add_value(results, &results->durations, q, 2);
	if (r >= 0)
		r = add_value(results, &results->inputs, q, 3);
	if (r >= 0)
		r = add_value(results, &results->outputs, q, 4);
	return r;
}

/* 1: there is more. */
static int step(struct results *results)
{
	struct db *db = results->tx->db;
	QUERY q = NULL;
	int r;

	results->n_looked = 0;
	r = db_query(db, &q, "SELECT id, error IS NOT NULL, duration_usec, input_tokens, output_tokens"
			     " FROM responses WHERE experiment_id = ?1 AND id > ?2 ORDER BY id",
		     "ii", results->experiment_id, results->at);
	while (r >= 0 && (r = db_next(db, q)) > 0) {
		if (results->n_looked >= STEP_ROWS)
			return 1;
		r = count_response(results, q);
	}
	return r;
}

/* ---- After it ---- */

static int sum_usage(struct results *results)
{
	struct ellu_experiment_results *out = results->out;
	struct tx *tx = results->tx;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT sum(input_tokens), sum(output_tokens), sum(cost_nanodollars)"
				 " FROM experiment_epochs WHERE experiment_id = ?1",
		     "i", results->experiment_id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r < 0)
		return r;
	out->total_input_tokens = column_int(q, 0);
	out->total_output_tokens = column_int(q, 1);
	out->cost = tx_int(tx, q, 2);
	return 0;
}

static const struct ellu_spread *spread(struct tx *tx, struct quantity *quantity, double unit)
{
	struct ellu_spread *record = TX_RECORD(tx, struct ellu_spread);

	if (!record)
		return NULL;
	record->n_scored = quantity->n;
	if (quantity->n == 0)
		return record;
	record->mean = tx_double_value(tx, quantity->sum / (double)quantity->n / unit);
	record->p50 = tx_double_value(tx, (double)quantity_percentile(quantity, 50) / unit);
	record->p95 = tx_double_value(tx, (double)quantity_percentile(quantity, 95) / unit);
	return record;
}

static int tell_criteria(struct results *results)
{
	struct ellu_experiment_results *out = results->out;
	struct tx_list criteria = { 0 };
	struct tx *tx = results->tx;
	int64_t yes = 0, decided = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < results->n_tallies; i++) {
		struct ellu_criterion_result *record = TX_RECORD(tx, struct ellu_criterion_result);
		const struct tally *tally = &results->tallies[i];

		if (!record)
			return -ENOMEM;
		record->criterion_id = tally->measure->criterion_id;
		record->criterion = tally->measure->text;
		record->mean = yes_no(tx, tally->yes, tally->decided);
		record->yes = proportion(tx, tally->yes, tally->decided, out->responses);
		record->failed = tally->ratings - tally->decided;
		out->ratings += tally->ratings;
		out->failed_ratings += record->failed;
		decided += tally->decided;
		yes += tally->yes;
		r = tx_append(tx, &criteria, record);
	}
	out->mean_all_ratings = yes_no(tx, yes, decided);
	out->criteria = tx_list_items(tx, &criteria);
	out->n_criteria = criteria.n;
	return r;
}

static int tell(struct results *results)
{
	struct ellu_experiment_results *out = results->out;
	struct tx *tx = results->tx;
	int r;

	r = sum_usage(results);
	if (r >= 0)
		r = tell_criteria(results);
	if (r < 0)
		return r;
	out->success_rate = proportion(tx, results->successes, out->responses, out->responses);
	out->duration_seconds = spread(tx, &results->durations, USEC_PER_SEC);
	out->input_tokens = spread(tx, &results->inputs, 1);
	out->output_tokens = spread(tx, &results->outputs, 1);
	return 0;
}

static int results_compute_run(struct tx *tx, struct store_request *request)
{
	struct results_compute *op = (struct results_compute *)request;
	struct results *results = op->state;
	int r = 0;

	if (!results)
		r = begin(tx, op, &results);
	if (r < 0)
		return r;
	op->state = results;
	results->tx = tx;
	r = step(results);
	if (r > 0)
		request->again = true;
	if (r != 0)
		return r;
	op->ret_results = results->out;
	return tell(results);
}

void store_results_compute(struct store *store, struct results_compute *op)
{
	op->state = NULL;
	tx_post(store, &op->request, STORE_SCAN, results_compute_run);
}
