#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/resources/criterion.h"
#include "daemon/store/runs/rating_submit.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/utf8.h"

/* Collections whose columns one transaction looks for; each has up to COLUMNS_MAX. */
#define COLLECTIONS_STEP 10
#define SET_NAME_CHARS_MAX (NAME_MAX_CHARS - 9) // " criteria"

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

static int check_filter(struct rating_submission *s)
{
	const struct ellu_rate_responses_request *a = &s->a;

	if (a->experiment && a->rating && !a->criterion_id)
		return invalid(s, "criterion_id", "the criterion that the rating is by");
	if (a->experiment)
		return 0;
	if (a->epoch)
		return invalid(s, "epoch", "nothing, since response_ids say which responses");
	if (a->criterion_id)
		return invalid(s, "criterion_id", "nothing, since response_ids say which responses");
	if (a->rating)
		return invalid(s, "rating", "nothing, since response_ids say which responses");
	return 0;
}

static int check(struct rating_submission *s)
{
	const struct ellu_rate_responses_request *a = &s->a;
	int r;

	if (a->response_ids && a->experiment)
		return invalid(s, "response_ids", "either response_ids or experiment");
	if (!a->response_ids && !a->experiment)
		return invalid(s, "response_ids", "response_ids or an experiment");
	if (a->criteria && a->criterion_set)
		return invalid(s, "criteria", "either criteria or criterion_set");
	if (a->response_ids && !a->criteria && !a->criterion_set)
		return invalid(s, "criteria", "criteria or a criterion_set");
	if (a->criteria && a->name && utf8_length(a->name, strlen(a->name)) > SET_NAME_CHARS_MAX)
		return invalid(s, "name", "at most 191 characters when criteria are given, whose set is "
					  "named after it");
	r = check_filter(s);
	if (r >= 0)
		r = criteria_check(s->tx, a->criteria, a->n_criteria);
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

static int look_for_collections(struct rating_submission *s)
{
	QUERY q = NULL;
	int r;

	r = db_query(s->tx->db, &q, "SELECT json_group_array(DISTINCT e.collection_id),"
				    " count(DISTINCT e.collection_id) FROM json_each(?1) i"
				    " CROSS JOIN experiments e ON e.id = i.value", "s",
		     s->input->experiment_ids);
	if (r >= 0)
		r = db_next(s->tx->db, q);
	if (r <= 0)
		return r;
	s->input->collection_ids = tx_text(s->tx, q, 0);
	s->input->n_collections = column_int(q, 1);
	return 0;
}

static int look_for_listed(struct rating_submission *s)
{
	const struct scope *scope = &s->op->submit.scope;
	struct rating_input *input = s->input;
	int64_t missing;
	QUERY q = NULL;
	int r;

	r = write_ids(s);
	if (r >= 0)
		r = db_int(s->tx->db, &missing,
			   "SELECT i.value FROM json_each(?1) i WHERE NOT EXISTS (SELECT 1 FROM responses r"
			   " WHERE r.id = i.value AND (r.owner_uid = ?2 OR ?3)) LIMIT 1",
			   "sib", input->response_ids, scope->uid, (int)scope->all);
	if (r > 0)
		return fault_not_found(s->tx->fault, "response", NULL, missing);
	if (r >= 0)
		r = db_query(s->tx->db, &q, "SELECT json_group_array(DISTINCT r.experiment_id)"
					    " FROM json_each(?1) i CROSS JOIN responses r ON r.id = i.value",
			     "s", input->response_ids);
	if (r >= 0)
		r = db_next(s->tx->db, q);
	if (r > 0)
		input->experiment_ids = tx_text(s->tx, q, 0);
	return r < 0 ? r : look_for_collections(s);
}

/* The criteria's texts, if they can be had; what is wrong with them is said later. */
static int criteria_texts(struct rating_submission *s, struct tx_list *texts)
{
	int64_t set_id;
	QUERY q = NULL;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < s->a.n_criteria; i++)
		r = tx_append(s->tx, texts, s->a.criteria[i]);
	if (r < 0 || s->a.criteria)
		return r;
	r = resource_resolve(s->tx, RESOURCE_CRITERION_SET, &s->scope, s->a.criterion_set, &set_id);
	if (r < 0)
		return r == ELLU_E_NOT_FOUND ? 0 : r;
	r = db_query(s->tx->db, &q, "SELECT criterion_str FROM criteria WHERE criterion_set_id = ?1"
				    " AND position IS NOT NULL ORDER BY position", "i", set_id);
	while (r >= 0 && (r = db_next(s->tx->db, q)) > 0)
		r = tx_append(s->tx, texts, tx_text(s->tx, q, 0));
	return r < 0 ? r : s->tx->oom ? -ENOMEM : 0;
}

int rating_check_listed(struct rating_submission *s)
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

int rating_look(struct rating_submission *s)
{
	int r;

	s->input = tx_alloc(s->tx, sizeof(*s->input));
	if (!s->input)
		return -ENOMEM;
	r = s->op->experiment ? task_submit_hash(&ellu_rate_experiment_request_type,
						 s->op->experiment, s->input->hash) :
				task_submit_hash(&ellu_rate_responses_request_type,
						 s->op->responses, s->input->hash);
	if (r >= 0)
		r = check(s);
	return r < 0 || !s->a.response_ids ? r : look_for_listed(s);
}

static int find_listed(struct rating_submission *s)
{
	int r;

	r = place_resolve(s->tx, &s->scope, &s->place);
	if (r >= 0)
		r = db_int(s->tx->db, &s->origin.id, "SELECT experiment_id FROM responses WHERE id = ?1",
			   "i", s->a.response_ids[0]);
	s->total_responses = (int64_t)s->a.n_response_ids;
	return r < 0 ? r : 0;
}

/* ---- An experiment's ---- */

static int find_filter(struct rating_submission *s)
{
	int64_t id = s->a.criterion_id ? *s->a.criterion_id : 0;
	int r;

	if (!id)
		return 0;
	r = db_int(s->tx->db, &s->filter_measure_id,
		   "SELECT m.id FROM experiment_measures e JOIN measures m ON m.id = e.measure_id"
		   " WHERE e.experiment_id = ?1 AND m.criterion_id = ?2", "ii", s->origin.id, id);
	return r == 0 ? fault_not_found(s->tx->fault, "criterion", NULL, id) : r < 0 ? r : 0;
}

static int find_experiment(struct rating_submission *s)
{
	int64_t count = 0;
	int r;

	r = resource_resolve(s->tx, RESOURCE_EXPERIMENT, &s->op->submit.scope, s->a.experiment,
			     &s->origin.id);
	if (r >= 0)
		r = db_int(s->tx->db, &s->place.owner_uid, "SELECT owner_uid FROM experiments"
							   " WHERE id = ?1", "i", s->origin.id);
	if (r >= 0)
		r = db_int(s->tx->db, &s->place.project_id, "SELECT project_id FROM experiments"
							    " WHERE id = ?1", "i", s->origin.id);
	if (r >= 0)
		r = find_filter(s);
	if (r >= 0)
		r = db_int(s->tx->db, &s->last_response_id,
			   "SELECT id FROM responses WHERE experiment_id = ?1 ORDER BY id DESC LIMIT 1",
			   "i", s->origin.id);
	/* What a filter on verdicts lets through is counted when the task has begun. */
	if (r >= 0 && !s->filter_measure_id)
		r = db_int(s->tx->db, &count, "SELECT sum(generated) FROM experiment_epochs"
					      " WHERE experiment_id = ?1 AND (?2 IS NULL OR epoch = ?2)",
			   "iI", s->origin.id, s->a.epoch);
	s->total_responses = count;
	return r < 0 ? r : 0;
}

static int load_origin(struct rating_submission *s)
{
	struct rating_origin *origin = &s->origin;
	QUERY q = NULL;
	int r;

	r = db_query(s->tx->db, &q, "SELECT e.name, e.task_id, e.criterion_set_id, e.judge_id,"
				    " j.llm_config_id, e.llm_config_id, j.snapshot, e.rating_mode,"
				    " e.rating_version FROM experiments e"
				    " LEFT JOIN judges j ON j.id = e.judge_id WHERE e.id = ?1",
		     "i", origin->id);
	if (r >= 0)
		r = db_next(s->tx->db, q);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	origin->name = tx_text(s->tx, q, 0);
	origin->task_id = column_int_or(q, 1, 0);
	origin->set_id = column_int_or(q, 2, 0);
	origin->judge_id = column_int_or(q, 3, 0);
	origin->judge_config_id = column_int_or(q, 4, 0);
	origin->config_id = column_int_or(q, 5, 0);
	origin->judge_snapshot = tx_text(s->tx, q, 6);
	origin->rating_mode = tx_text(s->tx, q, 7);
	origin->rating_version = tx_text(s->tx, q, 8);
	return s->tx->oom ? -ENOMEM : 0;
}

int rating_find_responses(struct rating_submission *s)
{
	int r;

	r = s->a.experiment ? find_experiment(s) : find_listed(s);
	return r < 0 ? r : load_origin(s);
}
