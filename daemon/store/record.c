/* SPDX-License-Identifier: MIT */
/*
 * Recording answers and verdicts: the hot path. One insert and one update of the epoch's
 * counters, in one transaction; what is there already changes nothing.
 */
#include "daemon/clock.h"
#include "daemon/store/runs.h"
#include "daemon/store/tx.h"

static int response_there(struct tx *tx, struct response_record *op)
{
	int r;

	r = db_int(tx->db, &op->ret_response_id,
		   "SELECT id FROM responses WHERE template_variables_id = ?1 AND experiment_id = ?2"
		   " AND epoch = ?3", "iii", op->row_id, op->experiment_id, op->epoch);
	return r < 0 ? r : 0;
}

static int response_record_run(struct tx *tx, struct store_request *request)
{
	struct response_record *op = (struct response_record *)request;
	const char *error;
	int r;

	r = tx_encode_fault(tx, op->error, &error);
	if (r >= 0)
		r = db_run(tx->db,
			   "INSERT INTO responses (owner_uid, project_id, experiment_id,"
			   " template_variables_id, epoch, response_text, tool_calls, finish_reason, error,"
			   " attempts, duration_usec, input_tokens, output_tokens, reasoning_tokens,"
			   " cost_nanodollars, replaced, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
			   " ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
			   " ON CONFLICT (template_variables_id, experiment_id, epoch) DO NOTHING",
			   "iiiiissssiinnnnii", op->owner_uid, op->project_id, op->experiment_id,
			   op->row_id, op->epoch, op->text, op->tool_calls, op->finish_reason, error,
			   op->attempts, op->duration_usec, op->input_tokens, op->output_tokens,
			   op->reasoning_tokens, op->cost_nanodollars, op->replaced, tx->now);
	if (r < 0)
		return r;
	if (r == 0)
		return response_there(tx, op);
	op->ret_response_id = db_last_id(tx->db);
	return db_run(tx->db,
		      "UPDATE experiment_epochs SET generated = generated + 1, rated = rated + ?3,"
		      " failed = failed + ?4, input_tokens = input_tokens + coalesce(?5, 0),"
		      " output_tokens = output_tokens + coalesce(?6, 0), cost_nanodollars ="
		      " iif(?7 IS NULL, cost_nanodollars, coalesce(cost_nanodollars, 0) + ?7),"
		      " recorded_monotonic = ?8 WHERE experiment_id = ?1 AND epoch = ?2",
		      "iibbnnni", op->experiment_id, op->epoch, op->complete || op->error,
		      op->error != NULL, op->input_tokens, op->output_tokens, op->cost_nanodollars,
		      clock_monotonic_usec());
}

void store_response_record(struct store *store, struct response_record *op)
{
	tx_post(store, &op->request, STORE_RECORD, response_record_run);
}

static int rating_record_run(struct tx *tx, struct store_request *request)
{
	struct rating_record *op = (struct rating_record *)request;
	const char *error;
	int r;

	r = tx_encode_fault(tx, op->error, &error);
	if (r >= 0)
		r = db_run(tx->db,
			   "INSERT INTO ratings (owner_uid, project_id, experiment_id, response_id,"
			   " measure_id, judge_id, value, reasoning, raw_text, error, attempts,"
			   " duration_usec, input_tokens, output_tokens, cost_nanodollars, created_at)"
			   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
			   " ON CONFLICT (response_id, measure_id, judge_id) DO NOTHING",
			   "iiiiiinsssiinnni", op->owner_uid, op->project_id, op->experiment_id,
			   op->response_id, op->measure_id, op->judge_id, (int64_t)op->value,
			   op->reasoning, op->raw_text, error, op->attempts, op->duration_usec,
			   op->input_tokens, op->output_tokens, op->cost_nanodollars, tx->now);
	if (r <= 0)
		return r;
	return db_run(tx->db,
		      "UPDATE experiment_epochs SET ratings = ratings + 1, rated = rated + ?3,"
		      " input_tokens = input_tokens + coalesce(?4, 0),"
		      " output_tokens = output_tokens + coalesce(?5, 0), cost_nanodollars ="
		      " iif(?6 IS NULL, cost_nanodollars, coalesce(cost_nanodollars, 0) + ?6),"
		      " recorded_monotonic = ?7 WHERE experiment_id = ?1 AND epoch = ?2",
		      "iibnnni", op->experiment_id, op->epoch, (int)op->complete, op->input_tokens,
		      op->output_tokens, op->cost_nanodollars, clock_monotonic_usec());
}

void store_rating_record(struct store *store, struct rating_record *op)
{
	tx_post(store, &op->request, STORE_RECORD, rating_record_run);
}
