#include "daemon/store/runs/responses/standing.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "daemon/store/runs/responses/answered_by.h"
#include "daemon/store/runs/run.h"
#include "daemon/store/runs/statistics/error_counts.h"
#include "daemon/store/runs/statistics/proportion.h"
#include "proto/generated/interface.h"
#include "proto/statistics/statistics.h"

#define ROW_VERDICTS_MAX 10000 // of a row's epochs by all criteria, that an edit looks at

/* By all criteria, of which it tells how many there are, and by one. */
static int read_standing(struct tx *tx, const struct run_row *run, int64_t response_id,
			 int64_t measure_id, struct standing *ret_standing, int64_t *ret_n_measures)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q,
		   "SELECT count(*), sum(value >= 0.5), sum(value < 0.5),"
		   " max(iif(measure_id = ?4, coalesce(value >= 0.5, -1), -2)),"
		   " max(iif(measure_id = ?4, error, NULL)) FROM"
		   " (SELECT n.measure_id, " RATING_VALUE " value, g.error FROM run_measures n"
		   "  CROSS JOIN measures m ON m.id = n.measure_id AND m.criterion_id IS NOT NULL"
		   "  LEFT JOIN ratings g ON g.response_id = ?2 AND g.measure_id = n.measure_id"
		   "  AND g.judge_id = ?3 WHERE n.run_id = ?1)",
		   "iiii", run->id, response_id, run->judge_id, measure_id);
	if (r <= 0)
		return r;
	*ret_n_measures = column_int(q, 0);
	*ret_standing = (struct standing){
		.meets_all = column_int(q, 0) == column_int(q, 1),
		.decided = column_int(q, 0) == column_int(q, 1) || column_int(q, 2) > 0,
		.value = (int)column_int_or(q, 3, -2),
		.error = tx_text(tx, q, 4),
	};
	return tx->oom ? -ENOMEM : 0;
}

int standing_read(struct tx *tx, const struct run_row *run, int64_t response_id, int64_t measure_id,
		  struct standing *ret_standing)
{
	int64_t n_measures = 0;
	int64_t fallback = -1;
	int r = read_standing(tx, run, response_id, measure_id, ret_standing, &n_measures);
	struct standing each;
	QUERY q = NULL;

	if (r >= 0)
		r = db_int(tx->db, &fallback, "SELECT fallback FROM responses WHERE id = ?1", "i", response_id);
	ret_standing->answered_by = r > 0 ? (int)fallback + 1 : 0;
	if (r < 0 || run->n_epochs <= 1)
		return r;
	ret_standing->row_is_large = run->n_epochs * n_measures > ROW_VERDICTS_MAX;
	if (ret_standing->row_is_large)
		return 0;
	r = db_query(tx->db, &q, "SELECT s.id FROM responses r CROSS JOIN responses s"
				 " ON s.template_variables_id = r.template_variables_id AND s.run_id = ?2"
				 " WHERE r.id = ?1", "ii", response_id, run->id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		r = read_standing(tx, run, column_int(q, 0), measure_id, &each, &n_measures);
		ret_standing->row_responses++;
		ret_standing->row_successes += each.meets_all;
		ret_standing->row_decided += each.value >= 0;
		ret_standing->row_yes += each.value == 1;
	}
	return r;
}

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
