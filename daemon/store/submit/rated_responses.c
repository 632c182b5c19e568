/* Which responses a submission rates: those of an experiment, or listed ones. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/engine/page.h"
#include "daemon/store/resources/collections/columns.h"
#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/collections/placeholders.h"
#include "daemon/store/submit/rating_submission.h"

/* Collections whose columns one transaction looks for; each has up to COLUMNS_MAX. */
#define COLLECTIONS_STEP 10

/* ---- The request ---- */

static int invalid(struct rating_submission *s, const char *field, const char *expected)
{
	return fault_invalid(s->tx->fault, field, "%s", expected);
}

static int compare_ids(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int check_distinct(struct rating_submission *s)
{
	size_t n = s->a.n_response_ids;
	int64_t *sorted = tx_array(s->tx, n, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = s->a.response_ids[i];
	qsort(sorted, n, sizeof(*sorted), compare_ids);
	for (size_t i = 1; i < n; i++)
		if (sorted[i] == sorted[i - 1])
			return fault_invalid(s->tx->fault, "response_ids",
					     "each response once; %" PRId64 " is there twice", sorted[i]);
	return 0;
}

static int check(struct rating_submission *s)
{
	const struct ellu_rate_responses_request *a = &s->a;
	const struct {
		const char *name;
		const void *value;
	} filter[] = { { "epoch", a->epoch }, { "criterion_id", a->criterion_id }, { "rating", a->rating } };
	int r;

	for (size_t i = 0; a->response_ids && i < sizeof(filter) / sizeof(filter[0]); i++)
		if (filter[i].value)
			return invalid(s, filter[i].name, "nothing, since response_ids say which responses");
	if (a->rating && !a->criterion_id)
		return invalid(s, "criterion_id", "the criterion that the rating is by");
	r = judges_check(s->tx, a->rating_llm_config, a->rating_llm_configs, a->rating_reduction);
	if (r < 0)
		return r;
	r = criteria_check(s->tx, a->name,
			   &(struct inline_criteria){ .texts = a->criteria, .n_texts = a->n_criteria },
			   a->criterion_set);
	return r < 0 || !a->response_ids ? r : check_distinct(s);
}

/* ---- Listed ones ---- */

static int write_ids(struct rating_submission *s)
{
	size_t n = s->a.n_response_ids, used = 0;
	char *text = tx_alloc(s->tx, 18 * n + 2); // an id has at most 16 digits

	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		used += (size_t)sprintf(text + used, "%c%" PRId64, i ? ',' : '[', s->a.response_ids[i]);
	text[used] = ']';
	s->input->response_ids = text;
	return 0;
}

static int look_for_listed(struct rating_submission *s)
{
	const struct scope *scope = &s->op->scope;
	struct rating_input *input = s->input;
	int64_t missing;
	QUERY q = NULL;
	int r;

	r = write_ids(s);
	if (r >= 0)
		r = db_int(s->tx->db, &missing,
			   "SELECT i.value FROM json_each(?1) i WHERE NOT EXISTS (SELECT 1 FROM responses r"
			   " WHERE r.id = i.value AND (r.owner_uid = ?2 OR ?3)"
			   " AND (?4 = 0 OR r.project_id = ?4)) LIMIT 1",
			   "sibi", input->response_ids, scope->uid, (int)scope->all,
			   scope->only_project_id);
	if (r > 0)
		return fault_not_found(s->tx->fault, "response", NULL, missing);
	if (r >= 0)
		r = db_row(s->tx->db, &q,
			   "SELECT json_group_array(DISTINCT r.run_id), json_group_array(DISTINCT"
			   " n.collection_id), count(DISTINCT n.collection_id) FROM json_each(?1) i"
			   " CROSS JOIN responses r ON r.id = i.value CROSS JOIN runs n ON n.id = r.run_id",
			   "s", input->response_ids);
	if (r <= 0)
		return r;
	input->run_ids = tx_text(s->tx, q, 0);
	input->collection_ids = tx_text(s->tx, q, 1);
	input->n_collections = column_int(q, 2);
	return 0;
}

/* The criteria's texts, if they can be had; what is wrong with them is said later. */
static int criteria_texts(struct rating_submission *s, struct tx_list *texts)
{
	struct criteria criteria;
	int64_t set_id;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < s->a.n_criteria; i++)
		r = tx_append(s->tx, texts, s->a.criteria[i]);
	if (r < 0 || !s->a.criterion_set)
		return r;
	r = resource_resolve(s->tx, &resource_criterion_set, &s->scope, s->a.criterion_set, &set_id);
	if (r < 0)
		return r == ELLU_E_NOT_FOUND ? 0 : r;
	r = criterion_set_criteria(s->tx, set_id, &criteria);
	for (size_t i = 0; r >= 0 && i < criteria.n; i++) {
		const struct ellu_check *check = criteria.items[i]->check;

		r = tx_append(s->tx, texts, criteria.items[i]->criterion_str);
		if (r >= 0 && check && check->value)
			r = tx_append(s->tx, texts, check->value);
	}
	return r < 0 ? r : 0;
}

int rated_check_listed(struct rating_submission *s)
{
	struct rating_input *input = s->input;
	struct tx_list texts = { 0 };
	int r = 0;

	if (!input->needed.names) {
		r = criteria_texts(s, &texts);
		if (r >= 0)
			r = placeholders_of(s->tx, (const char *const *)texts.items, texts.n,
					    &input->needed);
	}
	if (r >= 0)
		r = collections_need(s->tx, input->collection_ids, input->n_checked, COLLECTIONS_STEP,
				     &input->needed, s->a.criteria ? "criteria" : "criterion_set",
				     s->a.criteria != NULL, &input->rejected);
	input->n_checked += COLLECTIONS_STEP;
	return r < 0 ? r : !input->rejected.code && input->n_checked < input->n_collections;
}

int rated_look(struct rating_submission *s)
{
	int r;

	s->input = tx_alloc(s->tx, sizeof(*s->input));
	if (!s->input)
		return -ENOMEM;
	r = task_submit_hash(s->tx, s->op->method->request, s->op->arguments, s->input->hash);
	if (r >= 0)
		r = check(s);
	return r < 0 || !s->a.response_ids ? r : look_for_listed(s);
}

/* ---- An experiment's ---- */

static int find_filter(struct rating_submission *s)
{
	int64_t id = s->a.criterion_id ? *s->a.criterion_id : 0, measure_id;
	int r;

	s->run.filter_epoch = s->a.epoch;
	if (!id)
		return 0;
	r = db_int(s->tx->db, &measure_id,
		   "SELECT m.id FROM run_measures n JOIN measures m ON m.id = n.measure_id"
		   " WHERE n.run_id = ?1 AND m.criterion_id = ?2", "ii", s->experiment.run_id, id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(s->tx->fault, "criterion", NULL, id);
	s->run.filter_measure_id = tx_int_value(s->tx, measure_id);
	if (s->a.rating)
		s->run.filter_value = tx_int_value(s->tx, strcmp(s->a.rating, "YES") == 0);
	return 0;
}

/* What a filter on verdicts lets through is counted when the task has begun. */
static int count_generated(struct rating_submission *s)
{
	struct run_spec spec = { 0 };
	int r = 0;

	if (!s->run.filter_measure_id)
		r = run_counters(s->tx, s->experiment.run_id, &spec);
	for (size_t i = 0; r >= 0 && i < spec.n_epochs; i++)
		if (!s->a.epoch || spec.epochs[i].epoch == *s->a.epoch)
			s->run.total_cases += spec.epochs[i].generated;
	return r;
}

/* All that the filter lets through. */
static int find_whole(struct rating_submission *s)
{
	int r;

	s->place = (struct place){ .owner_uid = s->experiment.owner_uid,
				     .project_id = s->experiment.project_id };
	s->run.source_run_id = s->experiment.run_id;
	r = find_filter(s);
	if (r >= 0)
		r = db_int(s->tx->db, &s->run.last_response_id, "SELECT id FROM responses"
			   " WHERE run_id = ?1 ORDER BY id DESC LIMIT 1", "i", s->experiment.run_id);
	if (r >= 0)
		r = db_int(s->tx->db, &s->run.last_rating_id, "SELECT max(id) FROM ratings", "");
	return r < 0 ? r : count_generated(s);
}

static int find_experiment(struct rating_submission *s)
{
	int r = experiment_row_resolve(s->tx, &s->op->scope, s->a.experiment, &s->experiment);

	return r < 0 ? r : find_whole(s);
}

/* ---- Listed ones, in the writer ---- */

static void take_list(struct rating_submission *s)
{
	s->run.response_ids = s->input->response_ids;
	s->run.total_cases = (int64_t)s->a.n_response_ids;
}

/* Those of one experiment, which are rated as its own; all of them for it. 1. */
static int find_own(struct rating_submission *s)
{
	int64_t n_runs, n;
	int r = db_int(s->tx->db, &n_runs, "SELECT json_array_length(?1)", "s", s->input->run_ids);

	if (r >= 0 && n_runs > 1)
		return invalid(s, "criteria", "criteria or a criterion_set, since the responses are of several "
			       "experiments");
	if (r >= 0)
		r = db_int(s->tx->db, &n, "SELECT count(*) FROM (SELECT 1 FROM responses WHERE run_id = ?1"
					  " LIMIT ?2)", "ii", s->experiment.run_id,
			   (int64_t)s->a.n_response_ids + 1);
	if (r < 0)
		return r;
	s->adopt = n == (int64_t)s->a.n_response_ids;
	if (!s->adopt) {
		take_list(s);
		return 1;
	}
	s->a.response_ids = NULL;
	r = find_whole(s);
	return r < 0 ? r : 1;
}

static int find_listed(struct rating_submission *s)
{
	int64_t run_id, deleted_id;
	int r;

	r = db_int(s->tx->db, &deleted_id, "SELECT e.id FROM json_each(?1) i CROSS JOIN experiments e"
		   " ON e.run_id = i.value WHERE e.deleted_at IS NOT NULL LIMIT 1", "s",
		   s->input->run_ids);
	if (r != 0)
		return r < 0 ? r : fault_not_found(s->tx->fault, "experiment", NULL, deleted_id);
	r = place_resolve(s->tx, &s->scope, &s->place);
	if (r >= 0)
		r = db_int(s->tx->db, &run_id, "SELECT run_id FROM responses WHERE id = ?1", "i",
			   s->a.response_ids[0]);
	if (r > 0)
		r = experiment_row_of_run(s->tx, run_id, &s->experiment);
	if (r > 0 && s->own)
		r = find_own(s);
	else if (r > 0)
		take_list(s);
	return r < 0 ? r : r == 0 ? -EBADMSG : 0;
}

int rated_find(struct rating_submission *s)
{
	int r = s->a.experiment ? find_experiment(s) : find_listed(s);

	if (r >= 0)
		r = run_row_load(s->tx, s->experiment.run_id, &s->origin);
	if (s->run.filter_measure_id && s->origin.judge_id)
		s->run.filter_judge_id = &s->origin.judge_id;
	return r;
}
