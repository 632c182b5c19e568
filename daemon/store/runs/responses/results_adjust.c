#include "daemon/store/runs/responses/results_adjust.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "daemon/store/runs/responses/answered_by.h"
#include "daemon/store/runs/responses/standing.h"
#include "daemon/store/runs/run.h"
#include "daemon/store/runs/statistics/error_counts.h"
#include "daemon/store/runs/statistics/proportion.h"
#include "proto/generated/interface.h"
#include "proto/statistics/statistics.h"

/* How many of them a share was told of; what is told by it is exact up to 2^53. */
static int64_t part_of(const double *share, int64_t n)
{
	return share ? llround(*share * (double)n) : 0;
}

static struct ellu_criterion_result *criterion_of(struct tx *tx,
						  const struct ellu_experiment_results *results,
						  const struct run_measure *measure)
{
	for (size_t i = 0; i < results->n_criteria; i++) {
		const struct ellu_criterion_result *found = results->criteria[i];
		struct ellu_criterion_result *copy;

		if (found->criterion_id != measure->criterion_id ||
		    strcmp(found->criterion, measure->text) != 0)
			continue;
		copy = TX_RECORD(tx, struct ellu_criterion_result);
		if (!copy)
			return NULL;
		*copy = *found;
		((const struct ellu_criterion_result **)results->criteria)[i] = copy;
		return copy;
	}
	return NULL;
}

/* A row comes to have another sum. What was not looked at leaves nothing known, nor does what comes
 * behind it: then there is no interval. */
static void move_row(struct clusters *rows, const struct standing *before, int64_t before_sum,
		     int64_t before_n, int64_t after_sum, int64_t after_n)
{
	if (before->row_is_large || (rows->n == 0 && rows->n_values > 0)) {
		*rows = (struct clusters){ 0 };
		return;
	}
	clusters_remove(rows, (double)before_sum, before_n);
	clusters_add(rows, (double)after_sum, after_n);
}

static int adjust_criterion(struct tx *tx, const struct ellu_experiment_results *results,
			    const struct run_measure *measure, const struct standing *before,
			    const struct standing *after)
{
	struct ellu_criterion_result *criterion = criterion_of(tx, results, measure);
	const struct clusters *rows;
	struct clusters moved = { 0 };
	int64_t yes, decided;

	if (!criterion)
		return tx->oom ? -ENOMEM : 0;
	decided = criterion->yes->n_scored;
	yes = part_of(criterion->yes->value, decided);
	rows = proportion_rows(criterion->yes, yes, decided, &moved);
	move_row(&moved, before, before->row_yes, before->row_decided, after->row_yes, after->row_decided);
	yes += (after->value == 1) - (before->value == 1);
	criterion_tell(tx, criterion, yes, decided + (after->value >= 0) - (before->value >= 0),
		       decided + criterion->failed, results->responses, rows);
	if (criterion->flaky_rows)
		criterion->flaky_rows = before->row_is_large ? NULL : tx_int_value(tx,
			*criterion->flaky_rows + row_is_flaky(after->row_yes, after->row_decided) -
			row_is_flaky(before->row_yes, before->row_decided));
	return tx->oom ? -ENOMEM : 1;
}

/* A row of so many responses comes to have another number of those that meet every criterion. */
static void move_share(struct tx *tx, const struct ellu_proportion **of, double before, double after)
{
	const struct ellu_proportion *was = *of;

	if (was->value)
		*of = proportion_share(tx, *was->value * (double)was->n_scored - before + after, was->n_scored);
}

static int move_shares(struct tx *tx, struct ellu_experiment_results *results, const struct standing *from,
		       const struct standing *to)
{
	const int64_t n = to->row_responses, was = from->row_successes, is = to->row_successes;
	struct ellu_row_shares *shares = (struct ellu_row_shares *)results->row_shares;

	if (from->row_is_large) {
		results->row_shares = NULL;
		results->flaky_rows = NULL;
		return 0;
	}
	results->flaky_rows = tx_int_value(tx, *results->flaky_rows + row_is_flaky(is, n) - row_is_flaky(was, n));
	move_share(tx, &shares->any, was > 0, is > 0);
	move_share(tx, &shares->all, was == n, is == n);
	move_share(tx, &shares->majority, row_majority(was, n), row_majority(is, n));
	for (size_t i = 0; i < shares->n_pass_at && shares->pass_at[i]->k <= n; i++) {
		struct ellu_pass_at *one = (struct ellu_pass_at *)shares->pass_at[i];

		move_share(tx, &one->rows, pass_at_k(n, was, one->k), pass_at_k(n, is, one->k));
	}
	return tx->oom ? -ENOMEM : 0;
}

int results_adjust(struct tx *tx, const char *text, const struct run_measure *measure,
		   const struct standing *before, const struct standing *after,
		   const char **ret_text)
{
	struct ellu_experiment_results *results;
	int64_t n, successes, all_yes = 0, all_decided = 0;
	const struct clusters *rows;
	struct clusters moved = { 0 };
	int r;

	*ret_text = text;
	r = tx_decode(tx, &ellu_experiment_results_type, text, &results);
	if (r >= 0)
		r = adjust_criterion(tx, results, measure, before, after);
	if (r <= 0)
		return r;
	results->failed_ratings = 0;
	for (size_t i = 0; i < results->n_evaluators; i++)
		results->failed_ratings += results->evaluators[i]->failed;
	for (size_t i = 0; i < results->n_criteria; i++) {
		const struct ellu_criterion_result *criterion = results->criteria[i];

		results->failed_ratings += criterion->failed;
		all_decided += criterion->yes->n_scored;
		all_yes += part_of(criterion->yes->value, criterion->yes->n_scored);
	}
	results->mean_all_ratings = yes_no_make(tx, all_yes, all_decided);
	n = results->responses;
	successes = part_of(results->success_rate->value, n);
	rows = proportion_rows(results->success_rate, successes, n, &moved);
	move_row(&moved, before, before->row_successes, before->row_responses, after->row_successes,
		 after->row_responses);
	successes += after->meets_all - before->meets_all;
	if (results->row_shares && results->flaky_rows)
		r = move_shares(tx, results, before, after);
	if (r < 0)
		return r;
	results->success_rate = proportion_make(tx, (double)successes, n,
					   results->success_rate->n_scored + after->decided -
						   before->decided, n, rows);
	r = answered_by_adjust(tx, results, before, after);
	if (r < 0)
		return r;
	results->undecided_responses =
		n - results->failed_responses - results->success_rate->n_scored;
	if ((before->value == -1) != (after->value == -1))
		r = error_counts_move(tx, "rating", after->error, /* more= */ after->value == -1, &results->errors,
				      &results->n_errors);
	if (r < 0)
		return r;
	return tx->oom ? -ENOMEM : tx_encode(tx, &ellu_experiment_results_type, results, ret_text);
}
