/*
 * Experiments side by side: what each came to, out of its results; and, by one walk over the first
 * one's responses, how the others did on the same rows.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/runs/compare/sides.h"
#include "daemon/store/runs/responses/response.h"
#include "proto/generated/interface.h"
#include "proto/statistics/statistics.h"

#define CONFIDENCE 0.95
#define BOOTSTRAP_ROWS_MAX 2000 // beyond, its interval is Student's
#define BOOTSTRAP_SAMPLES 1000
#define BOOTSTRAP_SEED 1 // whoever asks again is told the same

/* What one of the experiments says of a criterion. */
struct outcome {
	const struct ellu_criterion_result *criterion;
	const struct paired *paired; // NULL: with nothing
	size_t experiment; // of the request
	size_t place; // of all outcomes
};

/* How one of the others differs from the first one, by a criterion or all in all. */
struct paired {
	struct differences rows; // before the one at hand
	double sum; // over the epochs of that which both have decided
	int n;
	double *first; // rows' differences, for the bootstrap; or NULL
	struct estimate bootstrap; // of those
};

/* Of a request, while it walks. */
struct comparison {
	struct tx *tx; // of the present step
	struct sides sides;
	size_t n;
	struct paired **paired; // an experiment's criteria, its evaluators, and then all in all; the first one has none
	struct response_place at;
	int64_t row_id; // at hand
	bool walked;
	size_t n_sampled; // experiments
	struct ellu_experiment **experiments;
	struct ellu_experiment_results **results; // NULL: it has none
	struct outcome *outcomes;
	size_t n_outcomes;
	struct tx_list differences; // of criteria
};

/* ---- The experiments ---- */

/* Without what grows with its criteria. */
static int load(struct comparison *comparison, int64_t id, size_t at)
{
	struct ellu_experiment_results *lean;
	struct ellu_experiment *experiment;
	int r = experiment_load(comparison->tx, id, &experiment);

	if (r < 0)
		return r;
	comparison->experiments[at] = experiment;
	experiment->criterion_set = NULL;
	if (!experiment->results)
		return 0;
	lean = TX_RECORD(comparison->tx, struct ellu_experiment_results);
	if (!lean)
		return -ENOMEM;
	*lean = *experiment->results;
	comparison->results[at] = (struct ellu_experiment_results *)experiment->results;
	comparison->n_outcomes += lean->n_criteria;
	lean->n_criteria = lean->n_errors = lean->n_evaluators = 0;
	lean->evaluators = NULL;
	experiment->results = lean;
	return 0;
}

/* ---- Row by row ---- */

static size_t n_measured(const struct comparison *comparison, size_t i)
{
	return comparison->sides.items[i].n + comparison->sides.items[i].n_evaluators;
}

static struct paired *all_in_all(const struct comparison *comparison, size_t i)
{
	return &comparison->paired[i][n_measured(comparison, i)];
}

static int make_pairs(struct comparison *comparison)
{
	static const struct estimate unknown = { NAN, NAN, NAN, NAN };
	struct tx *tx = comparison->tx;

	comparison->paired = tx_array(tx, comparison->n, sizeof(*comparison->paired));
	if (!comparison->paired)
		return -ENOMEM;
	for (size_t i = 1; i < comparison->n; i++) {
		struct paired *paired = tx_array(tx, n_measured(comparison, i) + 1, sizeof(*paired));

		comparison->paired[i] = paired;
		if (!paired)
			return -ENOMEM;
		paired = all_in_all(comparison, i);
		paired->bootstrap = unknown;
		paired->first = tx_array(tx, BOOTSTRAP_ROWS_MAX, sizeof(*paired->first));
		if (!paired->first)
			return -ENOMEM;
	}
	return 0;
}

static void pair_epoch(struct paired *paired, double before, double own)
{
	if (before < 0 || own < 0)
		return;
	paired->sum += own - before;
	paired->n++;
}

static void pair_row(struct paired *paired)
{
	double difference = paired->sum / paired->n;

	if (paired->n == 0)
		return;
	if (paired->first && paired->rows.n < BOOTSTRAP_ROWS_MAX)
		paired->first[paired->rows.n] = difference;
	differences_add(&paired->rows, difference);
	paired->sum = 0;
	paired->n = 0;
}

static void end_row(struct comparison *comparison)
{
	for (size_t i = 1; i < comparison->n; i++)
		for (size_t k = 0; k <= n_measured(comparison, i); k++)
			pair_row(&comparison->paired[i][k]);
}

static int on_response(struct response_walk *walk, int64_t response_id)
{
	struct comparison *comparison = walk->userdata;
	struct sides *sides = &comparison->sides;
	int r, success;

	if (sides->left <= 0)
		return 1;
	r = sides_read(walk->tx, sides, response_id);
	if (r < 0)
		return r;
	if (sides->row_id != comparison->row_id)
		end_row(comparison);
	comparison->row_id = sides->row_id;
	success = side_success(&sides->items[0]);
	for (size_t i = 1; i < comparison->n; i++) {
		const struct side *side = &sides->items[i];
		struct paired *paired = comparison->paired[i], *all = all_in_all(comparison, i);

		for (size_t k = 0; k < side->n; k++)
			if (side->measured[k].first)
				pair_epoch(&paired[k], side->measured[k].first->verdict,
					   side->measured[k].verdict);
		for (size_t k = side->n; k < n_measured(comparison, i); k++)
			if (side->measured[k].first)
				pair_epoch(&paired[k], side->measured[k].first->score,
					   side->measured[k].score);
		pair_epoch(all, success, side_success(side));
	}
	return 0;
}

/* 1: there is more to look at. */
static int pair_step(struct comparison *comparison)
{
	struct response_walk walk = {
		.tx = comparison->tx,
		.run = &comparison->sides.items[0].run,
		.at = comparison->at,
		.found = on_response,
		.userdata = comparison,
	};
	int r;

	comparison->sides.left = LOOKS_MAX;
	r = response_walk_step(&walk);
	comparison->at = walk.at;
	if (r != RESPONSE_WALK_END)
		return r < 0 ? r : 1;
	end_row(comparison);
	comparison->walked = true;
	return 1;
}

/* 1: there are others. */
static int sample(struct comparison *comparison)
{
	size_t i = ++comparison->n_sampled;
	struct paired *paired = i < comparison->n ? all_in_all(comparison, i) : NULL;
	double *scratch;

	if (!paired)
		return 0;
	if (paired->rows.n > BOOTSTRAP_ROWS_MAX)
		return 1;
	scratch = tx_array(comparison->tx, BOOTSTRAP_SAMPLES, sizeof(*scratch));
	if (!scratch)
		return -ENOMEM;
	paired->bootstrap = bootstrap_difference(paired->first, (size_t)paired->rows.n, CONFIDENCE,
						 BOOTSTRAP_SEED, scratch, BOOTSTRAP_SAMPLES);
	return 1;
}

/* ---- Rates ---- */

static const double *value_of(const struct ellu_proportion *proportion)
{
	return proportion ? proportion->value : NULL;
}

static struct ellu_paired_difference *difference_of(struct tx *tx, const struct paired *paired)
{
	struct ellu_paired_difference *record = TX_RECORD(tx, struct ellu_paired_difference);
	struct estimate mean = differences_mean(&paired->rows, CONFIDENCE);

	if (!record)
		return NULL;
	record->rows = paired->rows.n;
	record->better = paired->rows.n_up;
	record->worse = paired->rows.n_down;
	record->value = mean.value;
	/* No two shares or scores are further apart than that. */
	record->low = tx_known(tx, mean.low < -1 ? -1 : mean.low);
	record->high = tx_known(tx, mean.high > 1 ? 1 : mean.high);
	if (paired->first) {
		record->bootstrap_low = tx_known(tx, paired->bootstrap.low);
		record->bootstrap_high = tx_known(tx, paired->bootstrap.high);
	}
	record->effect_size = tx_known(tx, differences_effect(&paired->rows));
	record->p = sign_test(record->better, record->worse);
	return record;
}

/* What it differs by is one of `differences`, which are corrected together. */
static struct ellu_compared_rate *rate_of(struct comparison *comparison, size_t at,
					  const struct ellu_proportion *yes,
					  const struct ellu_proportion *first,
					  const struct paired *paired, struct tx_list *differences)
{
	struct tx *tx = comparison->tx;
	struct ellu_compared_rate *rate = TX_RECORD(tx, struct ellu_compared_rate);

	if (!rate)
		return NULL;
	rate->experiment_id = comparison->experiments[at]->id;
	rate->yes = yes;
	if (value_of(yes) && value_of(first))
		rate->difference = tx_double_value(tx, *yes->value - *first->value);
	if (!paired || paired->rows.n == 0)
		return rate;
	rate->paired = difference_of(tx, paired);
	return rate->paired && tx_append(tx, differences, rate->paired) >= 0 ? rate : NULL;
}

/* All others' success rates, of which each is held against chance as one of so many; and their criteria. */
static int correct(struct tx *tx, const struct tx_list *differences)
{
	struct ellu_paired_difference **paired = (struct ellu_paired_difference **)differences->items;
	size_t n = differences->n, *scratch = tx_array(tx, n, sizeof(*scratch));
	double *holm = tx_array(tx, n, sizeof(*holm)), *bh = tx_array(tx, n, sizeof(*bh));

	if (!holm || !bh || !scratch)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		holm[i] = bh[i] = paired[i]->p;
	correct_holm(holm, n, scratch);
	correct_benjamini_hochberg(bh, n, scratch);
	for (size_t i = 0; i < n; i++) {
		paired[i]->p_holm = holm[i];
		paired[i]->p_bh = bh[i];
	}
	return 0;
}

static int compare_success(struct comparison *comparison, struct ellu_compare_experiments_reply *reply)
{
	struct tx_list rates = { 0 }, differences = { 0 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < comparison->n; i++) {
		const struct ellu_experiment_results *first = comparison->results[0];
		const struct ellu_experiment_results *own = comparison->results[i];
		struct ellu_compared_rate *rate = rate_of(comparison, i, own ? own->success_rate : NULL,
							  first ? first->success_rate : NULL,
							  i > 0 ? all_in_all(comparison, i) : NULL,
							  &differences);

		r = rate ? tx_append(comparison->tx, &rates, rate) : -ENOMEM;
	}
	reply->success_rate = tx_list_items(comparison->tx, &rates);
	reply->n_success_rate = rates.n;
	return r < 0 ? r : correct(comparison->tx, &differences);
}

/* ---- Criteria ---- */

static int by_text(const void *a, const void *b)
{
	const struct outcome *x = a, *y = b;
	int r = strcmp(x->criterion->criterion, y->criterion->criterion);

	return r != 0 ? r : (x->place > y->place) - (x->place < y->place);
}

/* Runs of the same text, by where that comes first. */
static int by_first(const void *a, const void *b)
{
	const struct outcome *const *x = a, *const *y = b;

	return ((*x)->place > (*y)->place) - ((*x)->place < (*y)->place);
}

/* Of what the experiment is judged by: mostly in the place that it has in the results. */
static const struct paired *find_paired(const struct comparison *comparison, size_t i, size_t place,
					const char *text)
{
	const struct side *side = &comparison->sides.items[i];

	if (i > 0 && place < side->n && strcmp(side->measured[place].measure->text, text) == 0)
		return &comparison->paired[i][place];
	for (size_t k = 0; i > 0 && k < side->n; k++)
		if (strcmp(side->measured[k].measure->text, text) == 0)
			return &comparison->paired[i][k];
	return NULL;
}

static int gather(struct comparison *comparison)
{
	size_t n = 0;

	comparison->outcomes = tx_array(comparison->tx, comparison->n_outcomes,
					sizeof(*comparison->outcomes));
	if (!comparison->outcomes)
		return -ENOMEM;
	for (size_t i = 0; i < comparison->n; i++) {
		const struct ellu_experiment_results *results = comparison->results[i];

		for (size_t k = 0; results && k < results->n_criteria; k++, n++)
			comparison->outcomes[n] = (struct outcome){
				.criterion = results->criteria[k],
				.paired = find_paired(comparison, i, k, results->criteria[k]->criterion),
				.experiment = i,
				.place = n,
			};
	}
	qsort(comparison->outcomes, n, sizeof(*comparison->outcomes), by_text);
	return 0;
}

static bool same_text(const struct outcome *a, const struct outcome *b)
{
	return strcmp(a->criterion->criterion, b->criterion->criterion) == 0;
}

/* `outcome` is the first of its text; the others follow it. */
static int compare_criterion(struct comparison *comparison, const struct outcome *outcome,
			     struct tx_list *criteria)
{
	struct ellu_compared_criterion *compared =
		TX_RECORD(comparison->tx, struct ellu_compared_criterion);
	const struct outcome *end = comparison->outcomes + comparison->n_outcomes, *at = outcome;
	const struct ellu_proportion *first = outcome->experiment == 0 ? outcome->criterion->yes : NULL;
	struct tx_list rates = { 0 };
	int r = compared ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < comparison->n; i++) {
		bool judged = at < end && same_text(at, outcome) && at->experiment == i;
		struct ellu_compared_rate *rate =
			rate_of(comparison, i, judged ? at->criterion->yes : NULL, first,
				judged ? at->paired : NULL, &comparison->differences);

		if (!rate)
			return -ENOMEM;
		if (judged)
			rate->criterion_id = tx_int_value(comparison->tx, at->criterion->criterion_id);
		while (at < end && same_text(at, outcome) && at->experiment == i)
			at++;
		r = tx_append(comparison->tx, &rates, rate);
	}
	if (r < 0)
		return r;
	compared->criterion = outcome->criterion->criterion;
	compared->rates = tx_list_items(comparison->tx, &rates);
	compared->n_rates = rates.n;
	return tx_append(comparison->tx, criteria, compared);
}

static int compare_criteria(struct comparison *comparison,
			    struct ellu_compare_experiments_reply *reply)
{
	const struct outcome **firsts;
	struct tx_list criteria = { 0 };
	size_t n = 0;
	int r = gather(comparison);

	firsts = tx_array(comparison->tx, comparison->n_outcomes, sizeof(*firsts));
	if (r < 0 || !firsts)
		return -ENOMEM;
	for (size_t i = 0; i < comparison->n_outcomes; i++)
		if (i == 0 || !same_text(&comparison->outcomes[i], &comparison->outcomes[i - 1]))
			firsts[n++] = &comparison->outcomes[i];
	qsort(firsts, n, sizeof(*firsts), by_first);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = compare_criterion(comparison, firsts[i], &criteria);
	reply->criteria = tx_list_items(comparison->tx, &criteria);
	reply->n_criteria = criteria.n;
	return r < 0 ? r : correct(comparison->tx, &comparison->differences);
}

/* ---- Evaluators ---- */

static const struct ellu_evaluator_scores *find_scores(const struct comparison *comparison, size_t i,
						       const struct ellu_evaluator_use *use)
{
	const struct ellu_experiment_results *results = comparison->results[i];

	for (size_t k = 0; results && k < results->n_evaluators; k++)
		if (use_is(use, results->evaluators[k]->evaluator->name, results->evaluators[k]->variables))
			return results->evaluators[k];
	return NULL;
}

static const struct paired *find_scored(const struct comparison *comparison, size_t i,
					const struct ellu_evaluator_use *use)
{
	const struct side *side = &comparison->sides.items[i];

	for (size_t k = side->n; i > 0 && k < n_measured(comparison, i); k++)
		if (use_is(use, side->measured[k].measure->use->evaluator->name,
			   side->measured[k].measure->use->variables))
			return &comparison->paired[i][k];
	return NULL;
}

static struct ellu_compared_scores *scores_of(struct comparison *comparison, size_t i,
					      const struct ellu_evaluator_use *use, struct tx_list *differences)
{
	struct ellu_compared_scores *record = TX_RECORD(comparison->tx, struct ellu_compared_scores);
	const struct ellu_evaluator_scores *first = find_scores(comparison, 0, use);
	const struct paired *paired = find_scored(comparison, i, use);

	if (!record)
		return NULL;
	record->experiment_id = comparison->experiments[i]->id;
	record->scores = find_scores(comparison, i, use);
	if (first && first->mean && record->scores && record->scores->mean)
		record->difference = tx_double_value(comparison->tx, *record->scores->mean - *first->mean);
	if (!paired || paired->rows.n == 0)
		return record;
	record->paired = difference_of(comparison->tx, paired);
	return record->paired && tx_append(comparison->tx, differences, record->paired) >= 0 ? record : NULL;
}

static int compare_evaluator(struct comparison *comparison, const struct ellu_evaluator_scores *scores,
			     struct tx_list *evaluators, struct tx_list *differences)
{
	const struct ellu_evaluator_use use = { .evaluator = scores->evaluator, .variables = scores->variables };
	struct ellu_compared_evaluator *compared = TX_RECORD(comparison->tx, struct ellu_compared_evaluator);
	struct tx_list list = { 0 };
	int r = compared ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < comparison->n; i++) {
		struct ellu_compared_scores *record = scores_of(comparison, i, &use, differences);

		r = record ? tx_append(comparison->tx, &list, record) : -ENOMEM;
	}
	if (r < 0)
		return r;
	compared->evaluator = scores->evaluator->name;
	compared->variables = scores->variables;
	compared->scores = tx_list_items(comparison->tx, &list);
	compared->n_scores = list.n;
	return tx_append(comparison->tx, evaluators, compared);
}

static bool is_compared(const struct comparison *comparison, size_t before,
			const struct ellu_evaluator_scores *scores)
{
	const struct ellu_evaluator_use use = { .evaluator = scores->evaluator, .variables = scores->variables };

	for (size_t i = 0; i < before; i++)
		if (find_scores(comparison, i, &use))
			return true;
	return false;
}

static int compare_evaluators(struct comparison *comparison, struct ellu_compare_experiments_reply *reply)
{
	struct tx_list evaluators = { 0 }, differences = { 0 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < comparison->n; i++)
		for (size_t k = 0; r >= 0 && comparison->results[i] && k < comparison->results[i]->n_evaluators; k++) {
			const struct ellu_evaluator_scores *scores = comparison->results[i]->evaluators[k];

			if (!is_compared(comparison, i, scores))
				r = compare_evaluator(comparison, scores, &evaluators, &differences);
		}
	reply->evaluators = evaluators.n ? tx_list_items(comparison->tx, &evaluators) : NULL;
	reply->n_evaluators = evaluators.n;
	return r < 0 ? r : correct(comparison->tx, &differences);
}

/* ---- The method ---- */

static int begin(struct tx *tx, struct method_run *op)
{
	const struct ellu_compare_experiments_request *a = op->arguments;
	struct comparison *comparison = tx_alloc(tx, sizeof(*comparison));
	int r;

	if (!comparison)
		return -ENOMEM;
	*comparison = (struct comparison){ .tx = tx, .n = a->n_experiments };
	op->request.state = comparison;
	r = sides_load(tx, &op->scope, a->experiments, comparison->n, &comparison->sides);
	return r < 0 ? r : make_pairs(comparison);
}

static int tell(struct comparison *comparison, struct ellu_compare_experiments_reply *reply)
{
	struct tx *tx = comparison->tx;
	int r = 0;

	comparison->experiments = tx_array(tx, comparison->n, sizeof(*comparison->experiments));
	comparison->results = tx_array(tx, comparison->n, sizeof(*comparison->results));
	if (!comparison->experiments || !comparison->results)
		return -ENOMEM;
	for (size_t i = 0; r >= 0 && i < comparison->n; i++)
		r = load(comparison, comparison->sides.items[i].experiment_id, i);
	if (r < 0)
		return r;
	reply->experiments = (const struct ellu_experiment *const *)comparison->experiments;
	reply->n_experiments = comparison->n;
	r = compare_success(comparison, reply);
	if (r >= 0)
		r = compare_criteria(comparison, reply);
	return r < 0 ? r : compare_evaluators(comparison, reply);
}

int experiments_compare(struct tx *tx, struct method_run *op)
{
	struct ellu_compare_experiments_reply *reply;
	struct comparison *comparison;
	int r = op->request.state ? 0 : begin(tx, op);

	if (r < 0)
		return r;
	comparison = op->request.state;
	comparison->tx = tx;
	if (comparison->n > 1)
		r = comparison->walked ? sample(comparison) : pair_step(comparison);
	if (r > 0)
		op->request.again = true;
	if (r != 0)
		return r;
	reply = method_reply(tx, op);
	return reply ? tell(comparison, reply) : -ENOMEM;
}
