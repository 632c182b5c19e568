/* Experiments side by side, out of their results. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/runs/experiment.h"
#include "proto/generated/interface.h"

/* What one of the experiments says of a criterion. */
struct outcome {
	const struct ellu_criterion_result *criterion;
	size_t experiment; // of the request
	size_t place; // of all outcomes
};

struct comparison {
	struct tx *tx;
	struct ellu_experiment **experiments;
	struct ellu_experiment_results **results; // NULL: it has none
	size_t n;
	struct outcome *outcomes;
	size_t n_outcomes;
};

/* ---- The experiments ---- */

int experiments_resolve(struct tx *tx, const struct scope *scope, const struct ellu_ref *const *refs,
			size_t n, int64_t *ret_ids)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		r = resource_resolve(tx, &resource_experiment, scope, refs[i], &ret_ids[i]);
		for (size_t k = 0; r >= 0 && k < i; k++)
			if (ret_ids[k] == ret_ids[i])
				return fault_invalid(tx->fault, tx_printf(tx, "experiments[%zu]", i),
						     "each experiment once");
	}
	return r;
}

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
	lean->n_criteria = lean->n_errors = 0;
	experiment->results = lean;
	return 0;
}

/* ---- Rates ---- */

static const double *value_of(const struct ellu_proportion *proportion)
{
	return proportion ? proportion->value : NULL;
}

static struct ellu_compared_rate *rate_of(struct comparison *comparison, size_t at,
					  const struct ellu_proportion *yes,
					  const struct ellu_proportion *first)
{
	struct ellu_compared_rate *rate = TX_RECORD(comparison->tx, struct ellu_compared_rate);

	if (!rate)
		return NULL;
	rate->experiment_id = comparison->experiments[at]->id;
	rate->yes = yes;
	if (value_of(yes) && value_of(first))
		rate->difference = tx_double_value(comparison->tx, *yes->value - *first->value);
	return rate;
}

static int compare_success(struct comparison *comparison, struct ellu_compare_experiments_reply *reply)
{
	struct tx_list rates = { 0 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < comparison->n; i++) {
		const struct ellu_experiment_results *first = comparison->results[0];
		const struct ellu_experiment_results *own = comparison->results[i];
		struct ellu_compared_rate *rate = rate_of(comparison, i, own ? own->success_rate : NULL,
							  first ? first->success_rate : NULL);

		r = rate ? tx_append(comparison->tx, &rates, rate) : -ENOMEM;
	}
	reply->success_rate = tx_list_items(comparison->tx, &rates);
	reply->n_success_rate = rates.n;
	return r;
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
			comparison->outcomes[n] = (struct outcome){ results->criteria[k], i, n };
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
			rate_of(comparison, i, judged ? at->criterion->yes : NULL, first);

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
	return r;
}

int experiments_compare(struct tx *tx, struct method_run *op)
{
	const struct ellu_compare_experiments_request *a = op->arguments;
	struct ellu_compare_experiments_reply *reply = method_reply(tx, op);
	struct comparison comparison = { .tx = tx, .n = a->n_experiments };
	int64_t *ids = tx_array(tx, comparison.n, sizeof(*ids));
	int r;

	comparison.experiments = tx_array(tx, comparison.n, sizeof(*comparison.experiments));
	comparison.results = tx_array(tx, comparison.n, sizeof(*comparison.results));
	if (!reply || !ids || !comparison.experiments || !comparison.results)
		return -ENOMEM;
	r = experiments_resolve(tx, &op->scope, a->experiments, comparison.n, ids);
	for (size_t i = 0; r >= 0 && i < comparison.n; i++)
		r = load(&comparison, ids[i], i);
	if (r < 0)
		return r;
	reply->experiments = (const struct ellu_experiment *const *)comparison.experiments;
	reply->n_experiments = comparison.n;
	r = compare_success(&comparison, reply);
	return r < 0 ? r : compare_criteria(&comparison, reply);
}
