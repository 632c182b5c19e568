/*
 * Submitting a batch: evaluators are pinned with rows. Inputs that come with the request are read by who
 * has time, and become the rows of a collection that nobody else sees.
 */
#include <errno.h>

#include "daemon/store/resources/collections/collection.h"
#include "daemon/store/resources/collections/columns.h"
#include "daemon/store/resources/evaluators/evaluator.h"
#include "daemon/store/resources/collections/row_set.h"
#include "daemon/store/runs/evaluators.h"
#include "daemon/store/submit/task_submit.h"
#include "proto/generated/interface.h"

struct batch {
	struct tx *tx;
	struct task_submit *op;
	const struct ellu_batch_run_request *arguments;
	struct scope scope; // the submitter's own, administrator or not
	struct place place;
	struct evaluator_list evaluators;
	struct collection_state collection;
	struct run_row run;
	struct notes notes;
	struct fault rejected; // code 0: not
};

/* What is read of a request before the writer has it. */
struct batch_input {
	char hash[IDENTITY_SIZE];
	struct ellu_collection content; // of the inputs
	struct row_set rows;
};

/* ---- Inputs ---- */

/* What it has no name for stands beside what it has. */
static int row_of(struct tx *tx, const struct ellu_evaluator_input *input, const char **ret_row)
{
	json_object *variables = tx_parse(input->variables ? input->variables : "{}");
	struct ellu_evaluator_input named = *input;
	json_object *row = NULL;
	int r;

	named.variables = NULL;
	r = variables ? record_encode(&ellu_evaluator_input_type, &named, TO_STORE, &row) : -ENOMEM;
	if (r >= 0) {
		json_object_object_foreach(variables, name, value) {
			if (r >= 0 && !json_object_object_get_ex(row, name, NULL))
				r = json_object_object_add(row, name, json_object_get(value));
		}
		*ret_row = tx_strdup(tx, json_text(row, NULL));
	}
	json_object_put(row);
	json_object_put(variables);
	return r < 0 ? r : *ret_row ? 0 : -ENOMEM;
}

static int read_rows(struct batch *batch, struct batch_input *input)
{
	const struct ellu_batch_run_request *a = batch->arguments;
	struct tx *tx = batch->tx;
	const char **rows = tx_array(tx, a->n_inputs, sizeof(*rows));
	int r = rows ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < a->n_inputs; i++) {
		const char *path = tx_printf(tx, "inputs[%zu].", i);

		for (size_t k = 0; r >= 0 && k < batch->evaluators.n; k++)
			r = evaluator_check_inputs(tx, batch->evaluators.items[k], path,
						   &ellu_evaluator_input_type, a->inputs[i]);
		if (r >= 0)
			r = row_of(tx, a->inputs[i], &rows[i]);
	}
	input->content = ELLU_RECORD(struct ellu_collection);
	input->content.variables = rows;
	input->content.n_variables = a->n_inputs;
	return r < 0 ? r : collection_read_rows(tx, &input->content, "inputs", &input->rows);
}

static int find_evaluators(struct batch *batch)
{
	const struct ellu_batch_run_request *a = batch->arguments;

	if (!a->evaluator == !a->judge)
		return fault_invalid(batch->tx->fault, "evaluator", "an evaluator or a judge");
	return evaluators_find(batch->tx, &batch->scope, a->evaluator, a->judge, &batch->evaluators);
}

static int read_input(struct batch *batch)
{
	struct task_submit *op = batch->op;
	struct batch_input *input = tx_alloc(batch->tx, sizeof(*input));
	int r = input ? find_evaluators(batch) : -ENOMEM;

	op->request.state = input;
	if (r >= 0 && batch->arguments->inputs)
		r = read_rows(batch, input);
	if (r < 0)
		return r;
	op->request.lane = STORE_WRITE;
	return task_submit_hash(batch->tx, op->method->request, batch->arguments, input->hash);
}

/* ---- The pin ---- */

/* Hidden in the transaction that makes it, so that its name is free for the next. */
static int put_rows(struct batch *batch)
{
	struct batch_input *input = batch->op->request.state;
	struct tx *tx = batch->tx;
	int64_t id;
	int r;

	input->content.name = tx_printf(tx, "inputs %s", input->hash);
	r = resource_collection.insert(tx, &batch->place, &input->content, &input->rows, &batch->notes, &id);
	if (r >= 0)
		r = db_run(tx->db, resource_collection.hide, "ii", id, tx->now);
	return r < 0 ? r : collection_state(tx, id, &batch->collection);
}

/* What an evaluator scores has to be a column. */
static int check_columns(struct batch *batch, const struct ellu_evaluator *evaluator)
{
	const struct collection_state *collection = &batch->collection;
	int r = 1;

	for (size_t i = 0; r > 0 && i < evaluator->n_inputs && !batch->rejected.code; i++) {
		r = collection_has_column(batch->tx, collection->id, evaluator->inputs[i]);
		if (r == 0)
			fault_invalid(&batch->rejected, "collection", "one with a column '%s', since the "
				      "evaluator '%s' has it for an input; '%s' has none",
				      evaluator->inputs[i], evaluator->name, collection->name);
	}
	return r < 0 ? r : 0;
}

static int find_rows(struct batch *batch)
{
	struct tx *tx = batch->tx;
	int r = collection_resolve(tx, &batch->scope, batch->arguments->collection, &batch->collection);

	if (r >= 0 && batch->collection.variables_count == 0)
		fault_invalid(&batch->rejected, "collection", "a collection with rows; '%s' is empty",
			      batch->collection.name);
	for (size_t i = 0; r >= 0 && i < batch->evaluators.n; i++)
		r = check_columns(batch, batch->evaluators.items[i]);
	return r;
}

static int pin_rows(struct batch *batch)
{
	struct run_row *run = &batch->run;
	int r = batch->arguments->inputs ? put_rows(batch) : find_rows(batch);

	if (r < 0)
		return r;
	run->owner_uid = batch->place.owner_uid;
	run->project_id = batch->place.project_id;
	run->collection_id = batch->collection.id;
	run->first_sequence = batch->collection.first_sequence;
	run->last_sequence = batch->collection.last_sequence;
	run->rows_identity = batch->collection.rows_identity;
	run->total_cases = batch->collection.variables_count;
	run->n_epochs = 1;
	return collection_defaults(batch->tx, run->collection_id, &run->column_defaults);
}

static int pin(struct batch *batch)
{
	struct tx *tx = batch->tx;
	int r = pin_rows(batch);

	if (r >= 0)
		r = run_insert(tx, &batch->run, &(struct tx_list){ 0 }, &batch->run.id);
	if (r >= 0)
		r = run_evaluators_pin(tx, &batch->run, &batch->scope, batch->arguments->llm_config,
				       &batch->evaluators, &batch->notes);
	return r < 0 ? r : task_submit_check_run(tx, batch->op, batch->run.id,
						 batch->arguments->cost_limit, &batch->rejected);
}

/* ---- Whole ---- */

static int submit(struct batch *batch)
{
	const struct batch_input *input = batch->op->request.state;
	struct tx *tx = batch->tx;
	int r = task_submit_find_key(tx, batch->op, batch->place.owner_uid, input->hash);

	if (r != 0)
		return r < 0 ? r : 0;
	r = task_submit_check_room(tx);
	if (r >= 0)
		r = find_evaluators(batch);
	if (r >= 0)
		r = pin(batch);
	return r < 0 ? r : task_submit_insert(tx, batch->op,
					      &(struct task_new){
						      .kind = TASK_KIND_BATCH_EVALUATION,
						      .place = batch->place,
						      .name = batch->arguments->name,
						      .run_id = batch->run.id,
						      .request_hash = input->hash,
						      .rejected = &batch->rejected,
						      .log = &batch->notes.lines,
					      });
}

int batch_submit(struct tx *tx, struct task_submit *op)
{
	struct batch *batch = tx_alloc(tx, sizeof(*batch));
	int r;

	if (!batch)
		return -ENOMEM;
	batch->tx = tx;
	batch->op = op;
	batch->arguments = op->arguments;
	batch->scope = scope_own(&op->scope);
	if (op->request.lane != STORE_WRITE)
		return read_input(batch);
	task_submit_begin(op);
	r = place_resolve(tx, &batch->scope, &batch->place);
	return r < 0 ? r : submit(batch);
}

enum store_lane batch_submit_lane(const void *arguments)
{
	(void)arguments;
	return STORE_SCAN;
}
