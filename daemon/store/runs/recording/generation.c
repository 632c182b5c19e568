/*
 * What a model made up. It is stored in one transaction with what the task will answer: a run that
 * goes on after that finds its outcome and stores nothing again.
 */
#include <errno.h>
#include <json.h>

#include "daemon/store/resources/collections/columns.h"
#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/collections/rows.h"
#include "daemon/store/runs/run.h"
#include "proto/generated/interface.h"

struct target {
	int64_t template_id;
	int64_t collection_id; // 0: criteria
	struct collection_state collection;
};

static int load_outcome(struct tx *tx, struct generation_keep *op, struct target *ret_target)
{
	const char *outcome;
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT prompt_template_id, collection_id, outcome FROM runs WHERE id = ?1",
		   "i", op->spend.run_id);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	*ret_target = (struct target){ .template_id = column_int(q, 0), .collection_id = column_int(q, 1) };
	outcome = tx_text(tx, q, 2);
	if (outcome)
		return tx_decode(tx, &ellu_generation_result_type, outcome, &op->ret_result);
	return ret_target->collection_id ?
		       collection_state(tx, ret_target->collection_id, &ret_target->collection) : 0;
}

static int add_rows(struct tx *tx, const struct generation_keep *op, struct collection_state *state,
		    struct ellu_generation_result *result)
{
	struct row_set rows;
	const char *types;
	int r = collection_check_writable(tx, state);

	result->collection_id = tx_int_value(tx, state->id);
	if (r >= 0)
		r = collection_types(tx, state->id, &types);
	if (r >= 0)
		r = row_set_read(tx, types, op->rows, op->n_rows, "variables", /* digest= */ NULL, &rows);
	return r < 0 ? r : rows_append(tx, state, &rows);
}

static int texts_of(struct tx *tx, const struct generation_keep *op, struct criteria *ret_criteria)
{
	const char **texts = tx_array(tx, op->n_rows, sizeof(*texts));

	if (!texts)
		return -ENOMEM;
	for (size_t i = 0; i < op->n_rows; i++) {
		json_object *row = tx_parse(op->rows[i]);

		texts[i] = tx_strdup(tx, json_object_get_string(json_object_object_get(
						 row, GENERATION_CRITERION)));
		json_object_put(row);
		if (!texts[i])
			return -ENOMEM;
	}
	return criteria_of_texts(tx, texts, op->n_rows, ret_criteria);
}

/* The answer has the whole set. */
static int add_criteria(struct tx *tx, const struct generation_keep *op, int64_t template_id,
			struct ellu_generation_result *result)
{
	struct criteria criteria;
	int64_t set_id;
	int r;

	r = texts_of(tx, op, &criteria);
	if (r >= 0)
		r = criterion_set_extend(tx, template_id, &criteria, op->replace, &set_id);
	if (r >= 0)
		r = criterion_set_criteria(tx, set_id, &criteria);
	if (r < 0)
		return r;
	result->criterion_set_id = tx_int_value(tx, set_id);
	result->criteria = criteria.items;
	result->n_criteria = criteria.n;
	return 0;
}

static int generation_keep_run(struct tx *tx, struct generation_keep *op)
{
	struct ellu_generation_result *result = TX_RECORD(tx, struct ellu_generation_result);
	struct target target;
	const char *outcome;
	int r = result ? 0 : -ENOMEM;

	op->ret_result = NULL;
	if (r >= 0)
		r = load_outcome(tx, op, &target);
	if (r < 0 || op->ret_result)
		return r;
	result->added = (int64_t)op->n_rows;
	result->model = op->model;
	op->ret_result = result;
	r = target.collection_id ? add_rows(tx, op, &target.collection, result) :
				   add_criteria(tx, op, target.template_id, result);
	if (r >= 0)
		r = tx_encode(tx, &ellu_generation_result_type, result, &outcome);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE runs SET outcome = ?2 WHERE id = ?1", "is", op->spend.run_id,
			   outcome);
	return r < 0 ? r : run_spend_record(tx, &op->request, &op->spend);
}

STORE_OPERATION(generation_keep, STORE_WRITE, true)
