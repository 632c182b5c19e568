/*
 * Aggregates of a run: one walk over its responses and their ratings, cut into short read
 * transactions, so that neither the log nor another scan waits for a large one: by key, or, where
 * there are several epochs, by rows, whose epochs are counted together. What was counted so far
 * lives in the request's arena.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/runs/responses/answered_by.h"
#include "daemon/store/runs/responses/response.h"
#include "daemon/store/runs/run.h"
#include "daemon/store/runs/run_walk.h"
#include "daemon/store/runs/statistics/error_counts.h"
#include "daemon/store/runs/statistics/proportion.h"
#include "daemon/store/runs/statistics/row_shares.h"
#include "daemon/store/runs/statistics/scores.h"
#include "daemon/store/runs/statistics/spread.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"
#include "proto/statistics/statistics.h"
#include "proto/usage.h"

struct usage {
	int64_t input_tokens;
	int64_t output_tokens;
	int64_t cached_tokens;
	int64_t cost; // -1: unknown
};

struct tally {
	const struct run_measure *measure;
	int64_t ratings;
	int64_t decided;
	int64_t yes;
	int64_t row_decided, row_yes; // of the row at hand
	struct clusters rows; // before it
	int64_t flaky; // of those
	struct scores scores; // an evaluator's, in the place of those
};

/* Of a request, while it walks. */
struct results {
	struct tx *tx; // of the present step
	struct run_row run;
	struct run_row source; // of a run that rates another one's responses
	struct ellu_experiment_results *out;
	struct tally *tallies; // in the measures' order
	struct tally **by_id;
	size_t n_tallies;
	size_t n_criteria; // the first of them
	int64_t at; // the last place that was counted
	struct response_walk by_row; // in the place of that, where there are several epochs
	int64_t row_id; // at hand
	int64_t row_responses, row_successes;
	struct clusters rows; // before it: of successes
	struct row_shares shares;
	int64_t flaky;
	size_t n_looked; // rows in the present step
	struct usage generation, rating;
	int64_t successes; // responses without error that every measure says YES to
	int64_t decided; // those, and the ones that a measure says NO to
	struct answered_by answered_by;
	int64_t n_cached; // responses that were given before
	struct error_counts errors;
	struct spread durations, inputs, outputs; // of responses without error
};

/* ---- Before the walk ---- */

/* Simulated is what asks or judges here, and what is judged. */
static int load_run(struct results *results, int64_t run_id)
{
	const struct run_row *source = &results->source;
	int r = run_row_load(results->tx, run_id, &results->run);

	if (r >= 0)
		results->out->simulated = run_is_simulated(&results->run);
	if (r < 0 || !results->run.source_run_id)
		return r;
	r = run_row_load(results->tx, results->run.source_run_id, &results->source);
	if (r >= 0 && source->models[0][0] && provider_is_simulated(source->models[0][0]))
		results->out->simulated = true;
	return r;
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

	r = run_measures(tx, results->run.id, &measures);
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
		results->n_criteria += results->tallies[i].measure->use == NULL;
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
	results->generation.cost = results->rating.cost = -1;
	results->out = TX_RECORD(tx, struct ellu_experiment_results);
	if (!results->out)
		return -ENOMEM;
	r = load_run(results, op->run_id);
	if (r >= 0)
		r = answered_by_begin(tx, results->run.source_run_id ? &results->source : &results->run,
				      &results->answered_by);
	*ret_results = results;
	return r < 0 ? r : load_measures(results);
}

/* ---- The walk ---- */

/* Whose rows have several epochs, all of which count; or NULL. */
static const struct run_row *run_with_rows(const struct results *results)
{
	const struct run_row *run = &results->run;
	bool filtered = run->filter_epoch || run->filter_measure_id;

	if (run->source_run_id)
		run = filtered ? NULL : &results->source;
	return run && run->n_epochs > 1 ? run : NULL;
}

static struct tally *find_tally(const struct results *results, int64_t measure_id)
{
	const struct run_measure measure = { .id = measure_id };
	const struct tally wanted = { .measure = &measure };
	const struct tally *key = &wanted;
	struct tally **found = bsearch(&key, results->by_id, results->n_tallies, sizeof(*found),
				       compare_tallies);

	return found ? *found : NULL;
}

static void add_usage(struct usage *usage, sqlite3_stmt *q, int input, int output, int cached,
		      int cost)
{
	usage_add(&usage->input_tokens, column_int(q, input));
	usage_add(&usage->output_tokens, column_int(q, output));
	usage_add(&usage->cached_tokens, column_int(q, cached));
	usage_add(&usage->cost, column_int_or(q, cost, -1));
}

static void add_score(struct results *results, struct tally *tally, sqlite3_stmt *q, int column)
{
	if (column_null(q, column))
		return;
	scores_add(&tally->scores, column_double(q, column));
	if (!run_with_rows(results))
		scores_end_row(&tally->scores);
}

/* The response's ratings by the present judge, where no person overruled it; those of other measures
 * are not this run's. A person's come just before. */
static int count_ratings(struct results *results, int64_t response_id, size_t *ret_yes,
			 size_t *ret_no)
{
	struct tx *tx = results->tx;
	int64_t edited_id = 0;
	double edited = 0;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT measure_id, value, input_tokens, output_tokens,"
				 " cached_tokens, cost_nanodollars, error, judge_id FROM ratings"
				 " WHERE response_id = ?1 AND ifnull(judge_id, ?2) = ?2"
				 " ORDER BY measure_id, judge_id",
		     "ii", response_id, results->run.judge_id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		struct tally *tally = find_tally(results, column_int(q, 0));
		bool overruled = edited_id == column_int(q, 0);
		bool decided = overruled || !column_null(q, 1);
		bool yes = (overruled ? edited : column_double(q, 1)) >= 0.5;

		results->n_looked++;
		if (column_null(q, 7)) {
			edited_id = column_null(q, 1) ? 0 : column_int(q, 0);
			edited = column_double(q, 1);
			continue;
		}
		if (!tally)
			continue;
		add_usage(&results->rating, q, 2, 3, 4, 5);
		tally->ratings++;
		if (tally->measure->use) {
			add_score(results, tally, q, 1);
		} else {
			tally->row_decided += decided;
			tally->row_yes += yes;
			*ret_yes += yes;
			*ret_no += decided && !yes;
		}
		if (!overruled)
			r = error_counts_add(tx, &results->errors, "rating", column_peek(q, 6));
	}
	return r;
}

static int add_value(struct results *results, struct spread *spread, sqlite3_stmt *q, int column)
{
	int r;

	if (column_null(q, column))
		return 0;
	r = spread_add(results->tx, spread, column_int(q, column));
	if (!run_with_rows(results))
		spread_end_row(spread);
	return r;
}

static int count_response(struct results *results, sqlite3_stmt *q)
{
	bool failed = column_int(q, WALK_FAILED) != 0;
	size_t yes = 0, no = 0;
	int r;

	results->n_looked++;
	results->row_responses++;
	results->out->failed_responses += failed;
	results->n_cached += !column_null(q, WALK_CACHED);
	add_usage(&results->generation, q, WALK_INPUT_TOKENS, WALK_OUTPUT_TOKENS,
		  WALK_CACHED_TOKENS, WALK_COST);
	r = error_counts_add(results->tx, &results->errors, "response", column_peek(q, WALK_ERROR));
	if (r >= 0 && results->n_tallies > 0)
		r = count_ratings(results, column_int(q, WALK_RESPONSE), &yes, &no);
	if (r < 0 || failed)
		return r;
	results->row_successes += yes == results->n_criteria;
	results->decided += yes == results->n_criteria || no > 0;
	answered_by_count(&results->answered_by, q, yes == results->n_criteria,
			  yes == results->n_criteria || no > 0);
	r = add_value(results, &results->durations, q, WALK_DURATION);
	if (r >= 0)
		r = add_value(results, &results->inputs, q, WALK_INPUT_TOKENS);
	if (r >= 0)
		r = add_value(results, &results->outputs, q, WALK_OUTPUT_TOKENS);
	return r;
}

/* Counts the row at hand, all of which was seen. */
static void end_row(struct results *results)
{
	if (results->row_responses > 0)
		row_shares_add(&results->shares, results->row_successes, results->row_responses);
	results->flaky += row_is_flaky(results->row_successes, results->row_responses);
	results->out->responses += results->row_responses;
	results->successes += results->row_successes;
	clusters_add(&results->rows, (double)results->row_successes, results->row_responses);
	results->row_responses = results->row_successes = 0;
	spread_end_row(&results->durations);
	spread_end_row(&results->inputs);
	spread_end_row(&results->outputs);
	for (size_t i = 0; i < results->n_tallies; i++) {
		struct tally *tally = &results->tallies[i];

		if (tally->measure->use) {
			scores_end_row(&tally->scores);
			continue;
		}
		tally->decided += tally->row_decided;
		tally->yes += tally->row_yes;
		clusters_add(&tally->rows, (double)tally->row_yes, tally->row_decided);
		tally->flaky += row_is_flaky(tally->row_yes, tally->row_decided);
		tally->row_decided = tally->row_yes = 0;
	}
}

static int on_response(struct response_walk *walk, int64_t response_id)
{
	struct results *results = walk->userdata;
	QUERY q = NULL;
	int r;

	if (results->n_looked >= RUN_STEP)
		return 1;
	if (results->run.source_run_id && response_id > results->run.last_response_id)
		return 0;
	if (walk->at.row_id != results->row_id)
		end_row(results);
	results->row_id = walk->at.row_id;
	r = run_walk_one(results->tx, response_id, &q);
	if (r > 0)
		r = count_response(results, q);
	return r < 0 ? r : 0;
}

static int step_by_rows(struct results *results)
{
	struct response_walk *walk = &results->by_row;
	int r;

	walk->tx = results->tx;
	walk->run = run_with_rows(results);
	walk->found = on_response;
	walk->userdata = results;
	r = response_walk_step(walk);
	if (r == RESPONSE_WALK_END)
		end_row(results);
	return r < 0 ? r : r != RESPONSE_WALK_END;
}

/* 1: there is more. */
static int step(struct results *results)
{
	RUN_WALK walk = { 0 };
	int r;

	results->n_looked = 0;
	if (run_with_rows(results))
		return step_by_rows(results);
	r = run_walk_begin(results->tx, &results->run, results->at, RUN_STEP, &walk);
	while (r >= 0 && results->n_looked < RUN_STEP && (r = run_walk_next(&walk)) > 0)
		r = count_response(results, walk.q);
	results->at = walk.place;
	end_row(results); // its rows are nobody's concern
	return r < 0 ? r : !walk.end;
}

/* ---- After it ---- */

/* What the ratings took, and with `generation` the responses too. */
static const int64_t *tell_usage(struct results *results, bool generation, int64_t *ret_input,
				 int64_t *ret_output, int64_t *ret_cached)
{
	struct usage sum = results->rating;

	if (generation) {
		usage_add(&sum.input_tokens, results->generation.input_tokens);
		usage_add(&sum.output_tokens, results->generation.output_tokens);
		usage_add(&sum.cached_tokens, results->generation.cached_tokens);
		usage_add(&sum.cost, results->generation.cost);
	}
	*ret_input = sum.input_tokens;
	*ret_output = sum.output_tokens;
	*ret_cached = sum.cached_tokens;
	return sum.cost < 0 ? NULL : tx_int_value(results->tx, sum.cost);
}

static int tell_criteria(struct results *results)
{
	struct ellu_experiment_results *out = results->out;
	struct tx_list criteria = { 0 };
	struct tx *tx = results->tx;
	int64_t yes = 0, decided = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < results->n_criteria; i++) {
		struct ellu_criterion_result *record = TX_RECORD(tx, struct ellu_criterion_result);
		const struct tally *tally = &results->tallies[i];

		if (!record)
			return -ENOMEM;
		record->criterion_id = tally->measure->criterion_id;
		record->criterion = tally->measure->text;
		record->label = tally->measure->label;
		criterion_tell(tx, record, tally->yes, tally->decided, tally->ratings, out->responses,
			       run_with_rows(results) ? &tally->rows : NULL);
		if (run_with_rows(results))
			record->flaky_rows = tx_int_value(tx, tally->flaky);
		out->ratings += tally->ratings;
		out->failed_ratings += record->failed;
		decided += tally->decided;
		yes += tally->yes;
		r = tx_append(tx, &criteria, record);
	}
	out->mean_all_ratings = yes_no_make(tx, yes, decided);
	out->criteria = tx_list_items(tx, &criteria);
	out->n_criteria = criteria.n;
	return r;
}

/* They count as ratings, and not in the share of those that are YES. */
static int tell_scores(struct results *results)
{
	struct ellu_experiment_results *out = results->out;
	struct tx_list evaluators = { 0 };
	int r = 0;

	for (size_t i = results->n_criteria; r >= 0 && i < results->n_tallies; i++) {
		const struct tally *tally = &results->tallies[i];
		const struct ellu_evaluator_scores *record =
			scores_tell(results->tx, &tally->scores, tally->measure, tally->ratings, out->responses);

		if (!record)
			return -ENOMEM;
		out->ratings += tally->ratings;
		out->failed_ratings += record->failed;
		r = tx_append(results->tx, &evaluators, record);
	}
	out->evaluators = evaluators.n ? tx_list_items(results->tx, &evaluators) : NULL;
	out->n_evaluators = evaluators.n;
	return r;
}

static int tell(struct results *results)
{
	struct ellu_experiment_results *out = results->out;
	struct tx *tx = results->tx;
	int r;

	r = tell_criteria(results);
	if (r >= 0)
		r = tell_scores(results);
	if (r >= 0)
		r = error_counts_tell(tx, &results->errors, /* responses= */ true, &out->errors,
				      &out->n_errors);
	if (r < 0)
		return r;
	out->cost = tell_usage(results, true, &out->total_input_tokens, &out->total_output_tokens,
			       &out->total_cached_tokens);
	out->undecided_responses = out->responses - out->failed_responses - results->decided;
	out->success_rate = proportion_make(tx, (double)results->successes, out->responses, results->decided,
				       out->responses,
				       run_with_rows(results) ? &results->rows : NULL);
	out->cached_responses = results->n_cached > 0 ? tx_int_value(tx, results->n_cached) : NULL;
	r = answered_by_tell(tx, &results->answered_by, out);
	if (r < 0)
		return r;
	out->duration_seconds = spread_tell(tx, &results->durations, USEC_PER_SEC);
	out->input_tokens = spread_tell(tx, &results->inputs, 1);
	out->output_tokens = spread_tell(tx, &results->outputs, 1);
	if (!run_with_rows(results) || results->decided == 0)
		return 0;
	out->flaky_rows = tx_int_value(tx, results->flaky);
	return row_shares_tell(tx, &results->shares, &out->row_shares);
}

static int tell_ratings(struct results *results, const struct ellu_rating_results **ret_ratings)
{
	struct ellu_rating_results *ratings = TX_RECORD(results->tx, struct ellu_rating_results);
	const struct ellu_experiment_results *out = results->out;

	if (!ratings)
		return -ENOMEM;
	*ret_ratings = ratings;
	ratings->responses = out->responses;
	ratings->ratings = out->ratings;
	ratings->failed_ratings = out->failed_ratings;
	ratings->mean_all_ratings = out->mean_all_ratings;
	ratings->criteria = out->criteria;
	ratings->n_criteria = out->n_criteria;
	ratings->simulated = out->simulated;
	ratings->cost = tell_usage(results, false, &ratings->total_input_tokens,
				   &ratings->total_output_tokens, &ratings->total_cached_tokens);
	return error_counts_tell(results->tx, &results->errors, /* responses= */ false,
				 &ratings->errors, &ratings->n_errors);
}

static int results_compute_run(struct tx *tx, struct results_compute *op)
{
	struct results *results = op->request.state;
	int r = 0;

	if (!results)
		r = begin(tx, op, &results);
	if (r < 0)
		return r;
	op->request.state = results;
	results->tx = tx;
	r = step(results);
	if (r > 0)
		op->request.again = true;
	if (r < 0)
		op->request.state = NULL; // counted in half: from the beginning, when it is tried again
	if (r != 0)
		return r;
	op->ret_results = results->out;
	r = tell(results);
	return r < 0 || results->run.n_epochs > 0 ? r : tell_ratings(results, &op->ret_ratings);
}

STORE_OPERATION(results_compute, STORE_SCAN, true)
