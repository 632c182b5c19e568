/*
 * What people say of responses and of verdicts. A person's verdict is a rating without a judge, one
 * for a response and a measure: where it is, it stands for what any judge said. What a run counts
 * while it works is what its judge recorded, so that no edit moves that; results are of verdicts as
 * they stand, and an edit adjusts those of the experiment in its own transaction.
 */
#include <errno.h>
#include <string.h>

#include "daemon/store/runs/responses/response.h"
#include "daemon/store/runs/responses/response_blocks.h"
#include "daemon/store/runs/responses/results_adjust.h"
#include "daemon/store/runs/responses/standing.h"
#include "proto/generated/interface.h"

/* ---- Annotations ---- */

int response_annotate(struct tx *tx, struct method_run *op)
{
	const struct ellu_annotate_response_request *a = op->arguments;
	const char *text = a->annotation && *a->annotation ? a->annotation : NULL;
	struct experiment_row experiment;
	int r;

	if (!method_reply(tx, op))
		return -ENOMEM;
	r = response_experiment(tx, &op->scope, a->response_id, &experiment);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE responses SET annotation = ?2 WHERE id = ?1", "is", a->response_id,
			   text);
	return r < 0 ? r : response_block_widen(tx->db, a->response_id);
}

/* ---- Edits ---- */

/* What is edited: what a judge said of a response by a measure. */
struct edit {
	struct tx *tx;
	const struct ellu_edit_rating_request *a;
	struct experiment_row experiment;
	struct run_row run;
	int64_t rating_id;
	int64_t response_id;
	struct run_measure measure;
};

static int check(struct edit *edit)
{
	const struct ellu_edit_rating_request *a = edit->a;
	struct fault *fault = edit->tx->fault;
	bool undo = a->undo;

	if (a->response_id && !a->criterion_id)
		return fault_invalid(fault, "criterion_id", "the criterion that the verdict is by");
	if (a->rating_id && a->criterion_id)
		return fault_invalid(fault, "criterion_id", "nothing, since rating_id says which rating");
	if (!a->rating && !undo)
		return fault_invalid(fault, "rating", "a verdict, or undo");
	if (a->reasoning && undo)
		return fault_invalid(fault, "reasoning", "nothing, with undo");
	if (a->rating && undo)
		return fault_invalid(fault, "undo", "either undo or a rating");
	return 0;
}

static int find(struct edit *edit, const struct scope *scope)
{
	const struct ellu_edit_rating_request *a = edit->a;
	struct tx *tx = edit->tx;
	QUERY q = NULL;
	int r;

	if (a->rating_id)
		r = db_row(tx->db, &q,
			   "SELECT g.id, g.response_id, m.id, m.criterion_id, m.text FROM ratings g"
			   " CROSS JOIN measures m ON m.id = g.measure_id WHERE g.id = ?1"
			   " AND (g.owner_uid = ?2 OR ?3) AND g.judge_id IS NOT NULL", "iib",
			   *a->rating_id, scope->uid, (int)scope->all);
	else
		r = db_row(tx->db, &q,
			   "SELECT g.id, g.response_id, m.id, m.criterion_id, m.text FROM responses r"
			   " CROSS JOIN runs n ON n.id = r.run_id"
			   " CROSS JOIN run_measures e ON e.run_id = n.id"
			   " CROSS JOIN measures m ON m.id = e.measure_id AND m.criterion_id = ?4"
			   " CROSS JOIN ratings g ON g.response_id = r.id AND g.measure_id = m.id"
			   " AND g.judge_id = n.judge_id WHERE r.id = ?1 AND (r.owner_uid = ?2 OR ?3)",
			   "iibi", *a->response_id, scope->uid, (int)scope->all, *a->criterion_id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "rating", NULL, a->rating_id ? *a->rating_id : 0);
	edit->rating_id = column_int(q, 0);
	edit->response_id = column_int(q, 1);
	edit->measure.id = column_int(q, 2);
	edit->measure.criterion_id = column_int(q, 3);
	if (!edit->measure.criterion_id)
		return fault_invalid(tx->fault, "rating_id", "a verdict by a criterion, not an evaluator's score");
	edit->measure.text = tx_text(tx, q, 4);
	return tx->oom ? -ENOMEM : 0;
}

/* The latest takes the place of an earlier one. What is taken back stays as a row without a value: an
 * id would come again. */
static int put(struct edit *edit)
{
	const struct ellu_edit_rating_request *a = edit->a;
	struct tx *tx = edit->tx;
	const char *error = a->rating ? NULL : "{}";
	const double yes = 1, no = 0;
	const double *value = !a->rating ? NULL : strcmp(a->rating, "YES") == 0 ? &yes : &no;
	int r;

	r = db_run(tx->db, "UPDATE ratings SET value = ?3, reasoning = ?4, error = ?5, created_at = ?6"
			   " WHERE response_id = ?1 AND measure_id = ?2 AND judge_id IS NULL", "iiDssi",
		   edit->response_id, edit->measure.id, value, a->reasoning, error, tx->now);
	if (r != 0 || !value)
		return r;
	return db_run(tx->db, "INSERT INTO ratings (owner_uid, project_id, response_id, measure_id, value,"
			      " reasoning, attempts, duration_usec, created_at)"
			      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7)", "iiiiDsi",
		      edit->experiment.owner_uid, edit->experiment.project_id, edit->response_id,
		      edit->measure.id, value, a->reasoning, tx->now);
}

static int put_and_adjust(struct edit *edit)
{
	const char *results = edit->experiment.results;
	struct standing before, after;
	struct tx *tx = edit->tx;
	int r;

	r = standing_read(tx, &edit->run, edit->response_id, edit->measure.id, &before);
	if (r >= 0)
		r = put(edit);
	if (r >= 0)
		r = response_block_widen(tx->db, edit->response_id);
	if (r >= 0)
		r = standing_read(tx, &edit->run, edit->response_id, edit->measure.id, &after);
	if (r >= 0 && results && before.value != after.value)
		r = results_adjust(tx, results, &edit->measure, &before, &after, &results);
	return r < 0 ? r : db_run(tx->db, "UPDATE experiments SET results = ?2, updated_at = ?3"
				  " WHERE id = ?1", "isi", edit->experiment.id, results, tx->now);
}

int rating_edit(struct tx *tx, struct method_run *op)
{
	struct edit edit = { .tx = tx, .a = op->arguments };
	struct ellu_edit_rating_reply *reply = method_reply(tx, op);
	struct ellu_rating *rating;
	int r;

	if (!reply)
		return -ENOMEM;
	r = check(&edit);
	if (r >= 0)
		r = find(&edit, &op->scope);
	if (r >= 0)
		r = response_experiment(tx, &op->scope, edit.response_id, &edit.experiment);
	if (r >= 0)
		r = experiment_check_idle(tx, &edit.experiment); // its results are on their way
	if (r >= 0)
		r = run_row_load(tx, edit.experiment.run_id, &edit.run);
	if (r >= 0)
		r = put_and_adjust(&edit);
	if (r >= 0)
		r = rating_load(tx, edit.rating_id, &rating);
	if (r >= 0)
		reply->rating = rating;
	return r;
}
