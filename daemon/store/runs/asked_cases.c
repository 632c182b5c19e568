/*
 * The cases of a rating run: responses that are there, of one or of several experiments, with
 * what the judge has not said yet. A response without an answer has nothing to judge.
 */
#include <errno.h>
#include <string.h>

#include "daemon/store/resources/collection.h"
#include "daemon/store/resources/prompt_template.h"
#include "daemon/store/runs/asked.h"
#include "daemon/store/runs/experiment.h"
#include "proto/limits.h"

/* What the cases of one experiment share; few follow each other in a page. */
struct origin {
	int64_t experiment_id; // 0: none yet
	const char *defaults;
	struct ellu_prompt_template *prompt_template;
};

struct asked_scan {
	struct tx *tx;
	struct cases_page *op;
	struct origin origin;
	struct run_case *cases;
	size_t n_cases;
	size_t bytes;
};

static int set_origin(struct asked_scan *scan, int64_t experiment_id)
{
	struct origin *origin = &scan->origin;
	struct tx *tx = scan->tx;
	int64_t template_id;
	QUERY q = NULL;
	int r;

	if (origin->experiment_id == experiment_id)
		return 0;
	r = db_query(tx->db, &q, "SELECT prompt_template_id, column_defaults FROM experiments"
				 " WHERE id = ?1", "i", experiment_id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	template_id = column_int_or(q, 0, 0);
	*origin = (struct origin){
		.experiment_id = experiment_id,
		.defaults = tx_text(tx, q, 1),
	};
	return template_id ? prompt_template_load(tx, template_id, &origin->prompt_template) : 0;
}

/* What this judge has said; an error of an earlier round says nothing. */
static int load_decided(struct asked_scan *scan, struct run_case *item)
{
	struct tx *tx = scan->tx;
	int64_t *decided = tx_array(tx, scan->op->n_measures, sizeof(*decided));
	QUERY q = NULL;
	int r;

	if (!decided)
		return -ENOMEM;
	item->decided_measures = decided;
	r = db_query(tx->db, &q, "SELECT m.measure_id FROM rating_run_measures m CROSS JOIN ratings g"
				 " ON g.response_id = ?2 AND g.measure_id = m.measure_id AND g.judge_id = ?3"
				 " WHERE m.rating_run_id = ?1 AND (g.error IS NULL OR g.round >= ?4)"
				 " ORDER BY m.position",
		     "iiii", scan->op->rating_run_id, item->response_id, scan->op->judge_id,
		     scan->op->round);
	while (r >= 0 && item->n_decided < scan->op->n_measures && (r = db_next(tx->db, q)) > 0)
		decided[item->n_decided++] = column_int(q, 0);
	return r;
}

/* (experiment, row, epoch, text, values) */
static int add_case(struct asked_scan *scan, const struct asked_walk *walk, sqlite3_stmt *q)
{
	struct run_case *item = &scan->cases[scan->n_cases];
	int r;

	*item = (struct run_case){
		.experiment_id = column_int(q, 0),
		.row_id = column_int(q, 1),
		.row_number = walk->place,
		.epoch = column_int(q, 2),
		.response_id = column_int(walk->q, ASKED_RESPONSE),
	};
	r = load_decided(scan, item);
	if (r < 0 || item->n_decided == scan->op->n_measures)
		return r;
	r = set_origin(scan, item->experiment_id);
	if (r >= 0)
		r = collection_fill(scan->tx, scan->origin.defaults, tx_text(scan->tx, q, 4),
				    &item->input_values);
	item->response_text = tx_text(scan->tx, q, 3);
	item->prompt_template = scan->origin.prompt_template;
	scan->bytes += (size_t)sqlite3_column_bytes(q, 3) + (size_t)sqlite3_column_bytes(q, 4);
	scan->n_cases++;
	return r;
}

static int look_at(struct asked_scan *scan, const struct asked_walk *walk)
{
	QUERY q = NULL;
	int r;

	if (column_int(walk->q, ASKED_FAILED))
		return 0;
	r = db_query(scan->tx->db, &q,
		     "SELECT r.experiment_id, r.template_variables_id, r.epoch,"
		     " coalesce(r.response_text, r.tool_calls), v.input_values FROM responses r"
		     " CROSS JOIN template_variables v ON v.id = r.template_variables_id"
		     " WHERE r.id = ?1", "i", column_int(walk->q, ASKED_RESPONSE));
	if (r >= 0)
		r = db_next(scan->tx->db, q);
	return r > 0 ? add_case(scan, walk, q) : r;
}

int asked_cases(struct tx *tx, struct cases_page *op)
{
	struct asked_scan scan = { .tx = tx, .op = op };
	size_t n = op->scan < 1 ? 1 : op->scan > PAGE_MAX ? PAGE_MAX : op->scan;
	ASKED_WALK walk = { 0 };
	struct asked asked;
	int r;

	scan.cases = tx_array(tx, n, sizeof(*scan.cases));
	if (!scan.cases)
		return -ENOMEM;
	r = asked_load(tx, 0, op->rating_run_id, &asked);
	if (r >= 0)
		r = asked_walk_begin(tx, &asked, op->cursor.row_id, n, &walk);
	while (r >= 0 && scan.bytes < PAGE_BYTES_MAX && (r = asked_walk_next(&walk)) > 0)
		r = look_at(&scan, &walk);
	op->ret_cases = scan.cases;
	op->ret_n_cases = scan.n_cases;
	op->ret_cursor = (struct case_cursor){ .row_id = walk.place };
	op->ret_end = walk.end;
	return r;
}
