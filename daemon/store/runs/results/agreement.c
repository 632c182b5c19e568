/* A judge beside the people who have edited its ratings: one walk over the responses of an experiment. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/runs/responses/response.h"
#include "daemon/store/runs/statistics/proportion.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/statistics/statistics.h"

#define SCORES 1000 // a threshold is told to a thousandth

/* The labels by one criterion, or by all. */
struct labels {
	const struct run_measure *measure; // NULL: all
	struct confusion confusion;
	struct clusters rows; // before the one at hand, of verdicts that are alike
	int64_t row_alike, row_labels;
	struct labelled_score ends[2]; // of scores of 0 and 1
	struct labelled_score *between; // of the others, rounded; NULL: there are none
};

/* How far a panel's judges agree by a criterion, or by all. */
#define GROUPS 20 // of rows, one of which is left out at a time
struct between {
	struct reliability verdicts[GROUPS];
	struct reliability scores;
};

/* How far they agree on an evaluator's scores. */
struct scored {
	const struct run_measure *measure;
	struct reliability scores[GROUPS];
	int64_t n; // answers
};

/* Of a request, while it walks. */
struct agreement {
	struct tx *tx; // of the present step
	struct run_row run;
	struct labels *criteria; // by their measures' ids
	struct labels **ordered; // as the experiment has them
	size_t n;
	struct labels all;
	struct between *between; // by criteria, and then all; NULL: there is one judge
	struct scored *evaluators; // of several judges
	size_t n_evaluators;
	struct response_place at;
	int64_t row_id; // at hand
	size_t left; // to look at in this step
};

/* ---- The walk ---- */

static int add_score(struct tx *tx, struct labels *labels, double score, bool yes)
{
	struct labelled_score *place = &labels->ends[score == 1];

	if (score > 0 && score < 1) {
		if (!labels->between)
			labels->between = tx_array(tx, SCORES + 1, sizeof(*labels->between));
		if (!labels->between)
			return -ENOMEM;
		place = &labels->between[lround(score * SCORES)];
		place->score = round(score * SCORES) / SCORES;
	}
	place->yes += yes;
	place->no += !yes;
	return 0;
}

static int add_label(struct tx *tx, struct labels *labels, double score, bool is_yes)
{
	struct confusion *confusion = &labels->confusion;
	bool says_yes = score >= 0.5;

	*(says_yes ? is_yes ? &confusion->yes_yes : &confusion->yes_no :
		     is_yes ? &confusion->no_yes : &confusion->no_no) += 1;
	labels->row_labels++;
	labels->row_alike += says_yes == is_yes;
	return add_score(tx, labels, score, is_yes);
}

static void end_row_of(struct labels *labels)
{
	clusters_add(&labels->rows, (double)labels->row_alike, labels->row_labels);
	labels->row_alike = labels->row_labels = 0;
}

static void end_row(struct agreement *agreement)
{
	end_row_of(&agreement->all);
	for (size_t i = 0; i < agreement->n; i++)
		end_row_of(&agreement->criteria[i]);
}

static int by_measure(const void *a, const void *b)
{
	const struct labels *x = a, *y = b;

	return (x->measure->id > y->measure->id) - (x->measure->id < y->measure->id);
}

static void add_scores(struct agreement *agreement, int64_t measure_id, const double *values, size_t n,
		       size_t group)
{
	for (size_t i = 0; i < agreement->n_evaluators; i++) {
		struct scored *scored = &agreement->evaluators[i];

		if (scored->measure->id != measure_id)
			continue;
		reliability_add(&scored->scores[group], values, n);
		scored->n++;
	}
}

/* Of a measure's values, all that judges gave. */
static void add_unit(struct agreement *agreement, int64_t measure_id, const double *values, size_t n,
		     size_t group)
{
	const struct run_measure measure = { .id = measure_id };
	const struct labels key = { .measure = &measure };
	const struct labels *labels = bsearch(&key, agreement->criteria, agreement->n, sizeof(key), by_measure);
	struct between *places[2];
	double verdicts[JUDGES_MAX];

	if (n < 2)
		return;
	if (!labels) {
		add_scores(agreement, measure_id, values, n, group);
		return;
	}
	places[0] = &agreement->between[labels - agreement->criteria];
	places[1] = &agreement->between[agreement->n];
	for (size_t i = 0; i < n; i++)
		verdicts[i] = values[i] >= 0.5;
	for (int i = 0; i < 2; i++) {
		reliability_add(&places[i]->verdicts[group], verdicts, n);
		reliability_add(&places[i]->scores, values, n);
	}
}

static int add_between(struct agreement *agreement, int64_t response_id, size_t group)
{
	double values[JUDGES_MAX];
	int64_t measure_id = 0;
	QUERY q = NULL;
	size_t n = 0;
	int r;

	r = db_query(agreement->tx->db, &q,
		     "SELECT g.measure_id, g.value FROM run_measures m CROSS JOIN panel_judges p ON p.panel_id = ?2"
		     " CROSS JOIN ratings g ON g.response_id = ?3 AND g.measure_id = m.measure_id"
		     " AND g.judge_id = p.judge_id WHERE m.run_id = ?1 AND g.value IS NOT NULL"
		     " ORDER BY m.position",
		     "iii", agreement->run.id, agreement->run.judge_id, response_id);
	while (r >= 0 && (r = db_next(agreement->tx->db, q)) > 0) {
		if (column_int(q, 0) != measure_id) {
			add_unit(agreement, measure_id, values, n, group);
			n = 0;
		}
		measure_id = column_int(q, 0);
		if (n < JUDGES_MAX)
			values[n++] = column_double(q, 1);
		agreement->left -= agreement->left > 0;
	}
	add_unit(agreement, measure_id, values, n, group);
	return r;
}

static int on_response(struct response_walk *walk, int64_t response_id)
{
	struct agreement *agreement = walk->userdata;
	struct tx *tx = walk->tx;
	QUERY q = NULL;
	int r = 0;

	if (agreement->left == 0)
		return 1;
	if (agreement->between)
		r = add_between(agreement, response_id, (size_t)(walk->at.row_number % GROUPS));
	if (r < 0)
		return r;
	if (walk->at.row_id != agreement->row_id && agreement->all.row_labels > 0)
		end_row(agreement);
	agreement->row_id = walk->at.row_id;
	agreement->left--;
	r = db_query(tx->db, &q, "SELECT p.measure_id, p.value >= 0.5, g.value FROM ratings p"
				 " CROSS JOIN ratings g ON g.response_id = p.response_id"
				 " AND g.measure_id = p.measure_id AND g.judge_id = ?2"
				 " WHERE p.response_id = ?1 AND p.judge_id IS NULL"
				 " AND p.value IS NOT NULL AND g.value IS NOT NULL",
		     "ii", response_id, agreement->run.judge_id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		const struct run_measure measure = { .id = column_int(q, 0) };
		const struct labels key = { .measure = &measure };
		struct labels *labels = bsearch(&key, agreement->criteria, agreement->n, sizeof(key), by_measure);

		agreement->left -= agreement->left > 0;
		if (!labels)
			continue;
		r = add_label(tx, labels, column_double(q, 2), column_int(q, 1) != 0);
		if (r >= 0)
			r = add_label(tx, &agreement->all, column_double(q, 2), column_int(q, 1) != 0);
	}
	return r < 0 ? r : 0;
}

/* 1: there is more to look at. */
static int step(struct agreement *agreement)
{
	struct response_walk walk = {
		.tx = agreement->tx,
		.run = &agreement->run,
		.at = agreement->at,
		.found = on_response,
		.userdata = agreement,
	};
	int r;

	agreement->left = LOOKS_MAX;
	r = response_walk_step(&walk);
	agreement->at = walk.at;
	if (r == RESPONSE_WALK_END)
		end_row(agreement);
	return r < 0 ? r : r != RESPONSE_WALK_END;
}

/* ---- What came of it ---- */

static void tell_alpha(struct tx *tx, struct estimate alpha, const double **ret_alpha,
		       const double **ret_low, const double **ret_high)
{
	*ret_alpha = tx_known(tx, alpha.value);
	*ret_low = tx_known(tx, alpha.low);
	*ret_high = tx_known(tx, alpha.high > 1 ? 1 : alpha.high); // none agree more than all
}

static void tell_between(struct tx *tx, const struct between *between, struct ellu_agreement *record)
{
	tell_alpha(tx, reliability_alpha(between->verdicts, GROUPS, CONFIDENCE), &record->alpha,
		   &record->alpha_low, &record->alpha_high);
	record->alpha_scores = tx_known(tx, reliability_alpha(&between->scores, 1, CONFIDENCE).value);
}

/* `points` has room for all scores. */
static void tell_threshold(struct tx *tx, const struct labels *labels, struct labelled_score *points,
			   struct ellu_agreement *record)
{
	double threshold, j;
	size_t n = 0;

	points[n++] = (struct labelled_score){ 0, labels->ends[0].yes, labels->ends[0].no };
	points[n++] = (struct labelled_score){ 1, labels->ends[1].yes, labels->ends[1].no };
	for (size_t i = 0; labels->between && i <= SCORES; i++)
		if (labels->between[i].yes + labels->between[i].no > 0)
			points[n++] = labels->between[i];
	threshold = threshold_of_labels(points, n, &j);
	record->threshold = tx_known(tx, threshold);
	record->j = tx_known(tx, j);
}

static int tell_labels(struct tx *tx, const struct labels *labels, const struct between *between,
		       struct labelled_score *points, const struct ellu_agreement **ret_record)
{
	struct ellu_agreement *record = TX_RECORD(tx, struct ellu_agreement);
	const struct confusion *confusion = &labels->confusion;
	const struct clusters *rows = &labels->rows;
	const int64_t n = rows->n_values;
	struct estimate kappa = confusion_kappa_estimate(confusion, CONFIDENCE);

	if (!record)
		return -ENOMEM;
	*ret_record = record;
	if (labels->measure) {
		record->criterion_id = tx_int_value(tx, labels->measure->criterion_id);
		record->criterion = labels->measure->text;
	}
	record->accuracy = proportion_make(tx, rows->sum, n, n, n, rows->n < n ? rows : NULL);
	record->kappa = tx_known(tx, kappa.value);
	record->kappa_low = tx_known(tx, kappa.low);
	record->kappa_high = tx_known(tx, kappa.high);
	record->yes_yes = confusion->yes_yes;
	record->yes_no = confusion->yes_no;
	record->no_yes = confusion->no_yes;
	record->no_no = confusion->no_no;
	tell_threshold(tx, labels, points, record);
	if (between)
		tell_between(tx, between, record);
	return 0;
}

static int tell_evaluators(struct agreement *agreement, struct ellu_get_judge_agreement_reply *reply)
{
	struct tx *tx = agreement->tx;
	struct tx_list evaluators = { 0 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < agreement->n_evaluators; i++) {
		const struct scored *scored = &agreement->evaluators[i];
		struct estimate alpha = reliability_alpha(scored->scores, GROUPS, CONFIDENCE);
		struct ellu_evaluator_agreement *record = TX_RECORD(tx, struct ellu_evaluator_agreement);

		if (scored->n == 0)
			continue;
		if (!record)
			return -ENOMEM;
		record->evaluator = scored->measure->use->evaluator;
		record->n = scored->n;
		tell_alpha(tx, alpha, &record->alpha, &record->alpha_low, &record->alpha_high);
		r = tx_append(tx, &evaluators, record);
	}
	reply->evaluators = evaluators.n > 0 ? tx_list_items(tx, &evaluators) : NULL;
	reply->n_evaluators = evaluators.n;
	return r;
}

static int tell(struct agreement *agreement, struct ellu_get_judge_agreement_reply *reply)
{
	struct tx *tx = agreement->tx;
	struct labelled_score *points = tx_array(tx, SCORES + 3, sizeof(*points));
	const struct between *between = agreement->between;
	const struct ellu_agreement *record;
	struct tx_list criteria = { 0 };
	int r;

	if (!points)
		return -ENOMEM;
	reply->judge = agreement->run.judge.name;
	r = tell_labels(tx, &agreement->all, between ? &between[agreement->n] : NULL, points, &reply->all);
	for (size_t i = 0; r >= 0 && i < agreement->n; i++) {
		r = tell_labels(tx, agreement->ordered[i],
				between ? &between[agreement->ordered[i] - agreement->criteria] : NULL, points,
				&record);
		if (r >= 0)
			r = tx_append(tx, &criteria, record);
	}
	reply->criteria = tx_list_items(tx, &criteria);
	reply->n_criteria = criteria.n;
	if (r >= 0)
		r = tell_evaluators(agreement, reply);
	return r < 0 ? r : tx->oom ? -ENOMEM : 0;
}

/* ---- The method ---- */

/* They come first. */
static size_t count_criteria(const struct tx_list *measures)
{
	size_t n = 0;

	while (n < measures->n && !((const struct run_measure *)measures->items[n])->use)
		n++;
	return n;
}

static int begin_evaluators(struct agreement *agreement, const struct tx_list *measures)
{
	size_t n_criteria = count_criteria(measures);

	agreement->n_evaluators = measures->n - n_criteria;
	agreement->evaluators = tx_array(agreement->tx, agreement->n_evaluators, sizeof(*agreement->evaluators));
	for (size_t i = 0; agreement->evaluators && i < agreement->n_evaluators; i++)
		agreement->evaluators[i].measure = measures->items[n_criteria + i];
	return agreement->evaluators ? 0 : -ENOMEM;
}

static int begin(struct tx *tx, struct method_run *op)
{
	const struct ellu_get_judge_agreement_request *a = op->arguments;
	struct agreement *agreement = tx_alloc(tx, sizeof(*agreement));
	struct tx_list measures = { 0 };
	int r;

	if (!agreement)
		return -ENOMEM;
	*agreement = (struct agreement){ .tx = tx };
	op->request.state = agreement;
	r = experiment_run_resolve(tx, &op->scope, a->experiment, &agreement->run);
	if (r >= 0)
		r = run_measures(tx, agreement->run.id, &measures);
	if (r >= 0 && agreement->run.judge.reduction)
		r = begin_evaluators(agreement, &measures);
	if (r < 0)
		return r;
	measures.n = count_criteria(&measures);
	agreement->n = measures.n;
	agreement->criteria = tx_array(tx, measures.n, sizeof(*agreement->criteria));
	agreement->ordered = tx_array(tx, measures.n, sizeof(*agreement->ordered));
	if (!agreement->criteria || !agreement->ordered)
		return -ENOMEM;
	if (agreement->run.judge.reduction) {
		agreement->between = tx_array(tx, measures.n + 1, sizeof(*agreement->between));
		if (!agreement->between)
			return -ENOMEM;
	}
	for (size_t i = 0; i < measures.n; i++)
		agreement->criteria[i].measure = measures.items[i];
	qsort(agreement->criteria, measures.n, sizeof(*agreement->criteria), by_measure);
	for (size_t i = 0; i < measures.n; i++) {
		const struct labels key = { .measure = measures.items[i] };

		agreement->ordered[i] = bsearch(&key, agreement->criteria, measures.n, sizeof(key), by_measure);
	}
	return 0;
}

int judge_agreement(struct tx *tx, struct method_run *op)
{
	struct ellu_get_judge_agreement_reply *reply;
	struct agreement *agreement;
	int r = op->request.state ? 0 : begin(tx, op);

	if (r < 0)
		return r;
	agreement = op->request.state;
	agreement->tx = tx;
	r = step(agreement);
	op->request.again = r > 0;
	if (r != 0)
		return r;
	reply = method_reply(tx, op);
	return reply ? tell(agreement, reply) : -ENOMEM;
}
