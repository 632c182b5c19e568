/*
 * What a model made up. It is stored in one transaction with what the task will answer: a run that
 * goes on after that finds its outcome and stores nothing again.
 */
#include <errno.h>

#include "daemon/store/resources/rows.h"
#include "daemon/store/runs/run.h"
#include "proto/generated/interface.h"

static int load_outcome(struct tx *tx, struct generation_keep *op, struct collection_state *ret_state)
{
	int64_t collection_id;
	const char *outcome;
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT collection_id, outcome FROM runs WHERE id = ?1", "i",
		   op->spend.run_id);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	collection_id = column_int(q, 0);
	outcome = tx_text(tx, q, 1);
	if (outcome)
		return tx_decode(tx, &ellu_generation_result_type, outcome, &op->ret_result);
	return collection_state(tx, collection_id, ret_state);
}

static int add_rows(struct tx *tx, struct generation_keep *op, struct collection_state *state)
{
	struct row_set rows;
	int r = collection_check_writable(tx, state);

	if (r >= 0)
		r = row_set_read(tx, op->rows, op->n_rows, "variables", &rows);
	return r < 0 ? r : rows_append(tx, state, &rows);
}

static int generation_keep_run(struct tx *tx, struct generation_keep *op)
{
	struct ellu_generation_result *result = TX_RECORD(tx, struct ellu_generation_result);
	struct collection_state state;
	const char *outcome;
	int r = result ? 0 : -ENOMEM;

	op->ret_result = NULL;
	if (r >= 0)
		r = load_outcome(tx, op, &state);
	if (r < 0 || op->ret_result)
		return r;
	result->collection_id = state.id;
	result->added = (int64_t)op->n_rows;
	result->model = op->model;
	op->ret_result = result;
	r = add_rows(tx, op, &state);
	if (r >= 0)
		r = tx_encode(tx, &ellu_generation_result_type, result, &outcome);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE runs SET outcome = ?2 WHERE id = ?1", "is", op->spend.run_id,
			   outcome);
	return r < 0 ? r : run_spend_put(tx, &op->spend);
}

STORE_OPERATION(generation_keep, STORE_WRITE, true)
