/*
 * The cases of a run that miss something, page by page; bounded by what is looked at and by bytes,
 * so that a page is cheap whatever the run's size.
 *
 * A run that makes responses is scanned by pairs of row and epoch: batch sequence and row id, one
 * epoch after the other. The cases of one that rates are responses that are there, of one or of
 * several experiments; one without an answer has nothing to judge.
 */
#include <errno.h>
#include <string.h>

#include "daemon/store/resources/collections/columns.h"
#include "daemon/store/runs/compare/preferences.h"
#include "daemon/store/runs/run.h"
#include "daemon/store/runs/run_walk.h"
#include "proto/limits.h"

/* A run has two pages, and users have many runs. */
#define CASES_BYTES_MAX (1024u * 1024)

struct scan {
	struct tx *tx;
	struct cases_page *op;
	struct run_row run;
	/* Of a run that rates: what the cases of one experiment share; few follow each other. */
	struct run_row origin;
	struct prompt prompt;
	struct case_cursor at;
	struct compared compared; // of a run that compares
	struct run_case *cases;
	size_t n_cases, n_cases_max;
	size_t left; // to look at
	size_t bytes;
};

/* What the run's judge has said, and who is of its panel; an error of an earlier round says nothing.
 * Whether it misses nothing. */
static int load_decided(struct scan *scan, struct run_case *item, bool *ret_complete)
{
	const bool panel = scan->op->n_judges > 1;
	const size_t most = scan->op->n_measures * (panel ? scan->op->n_judges + 1 : 1);
	struct tx *tx = scan->tx;
	struct run_decided *decided = tx_array(tx, most, sizeof(*decided));
	size_t n_complete = 0;
	QUERY q = NULL;
	int r;

	if (!decided)
		return -ENOMEM;
	item->decided = decided;
	r = db_query(tx->db, &q, panel ?
		     "SELECT m.measure_id, g.judge_id FROM run_measures m CROSS JOIN ratings g ON g.response_id = ?2"
		     " AND g.measure_id = m.measure_id AND (g.judge_id = ?3 OR g.judge_id IN"
		     " (SELECT judge_id FROM panel_judges WHERE panel_id = ?3)) WHERE m.run_id = ?1"
		     " AND (g.error IS NULL OR g.round >= ?4) ORDER BY m.position" :
		     "SELECT m.measure_id, g.judge_id FROM run_measures m CROSS JOIN ratings g ON g.response_id = ?2"
		     " AND g.measure_id = m.measure_id AND g.judge_id = ?3 WHERE m.run_id = ?1"
		     " AND (g.error IS NULL OR g.round >= ?4) ORDER BY m.position", "iiii",
		     scan->run.id, item->response_id, scan->run.judge_id, scan->run.round);
	while (r >= 0 && item->n_decided < most && (r = db_next(tx->db, q)) > 0) {
		decided[item->n_decided] = (struct run_decided){ column_int(q, 0), column_int(q, 1) };
		n_complete += decided[item->n_decided++].judge_id == scan->run.judge_id;
	}
	*ret_complete = n_complete == scan->op->n_measures;
	return r;
}

/* What is known of it beside its text. */
static int read_facts(struct tx *tx, struct run_case *item)
{
	QUERY q = NULL;
	int r = db_row(tx->db, &q, "SELECT duration_usec, cost_nanodollars, finish_reason FROM responses"
				   " WHERE id = ?1", "i", item->response_id);

	if (r <= 0)
		return r;
	item->facts = (struct case_facts){
		.duration_usec = column_int_or(q, 0, -1),
		.cost_nanodollars = column_int_or(q, 1, -1),
		.finish_reason = tx_text(tx, q, 2),
	};
	return 0;
}

#define CASES_FEW 16 // most runs have no more; what was outgrown stays in the page's memory, so few times

static int make_room(struct scan *scan)
{
	size_t n = scan->n_cases ? 4 * scan->n_cases : CASES_FEW;
	struct run_case *cases;

	if (scan->n_cases < scan->n_cases_max)
		return 0;
	if (n > scan->left && scan->n_cases < scan->left)
		n = scan->left;
	cases = tx_array(scan->tx, n, sizeof(*cases));
	if (!cases)
		return -ENOMEM;
	if (scan->n_cases)
		memcpy(cases, scan->cases, scan->n_cases * sizeof(*cases));
	scan->cases = cases;
	scan->n_cases_max = n;
	return 0;
}

/* Takes the case's texts. */
static int add_case(struct scan *scan, struct run_case *item, const char *defaults,
		    sqlite3_stmt *q, int values, int text, int transcript)
{
	int r = make_room(scan);

	if (r >= 0)
		r = collection_fill(scan->tx, defaults, tx_text(scan->tx, q, values), &item->input_values);
	if (r < 0)
		return r;
	if (item->response_id && scan->op->with_facts)
		r = read_facts(scan->tx, item);
	if (item->response_id) {
		item->response_text = tx_text(scan->tx, q, text);
		item->transcript = tx_text(scan->tx, q, transcript);
	}
	scan->bytes += (size_t)sqlite3_column_bytes(q, text);
	scan->bytes += (size_t)sqlite3_column_bytes(q, values);
	scan->cases[scan->n_cases++] = *item;
	return r;
}

/* ---- Pairs of row and epoch ---- */

/* (row, values, response, text, failed, round, transcript): one pair; kept when it misses something. An error of
 * an earlier round is as none. */
static int look_at_pair(struct pair_walk *walk, sqlite3_stmt *q)
{
	struct scan *scan = walk->userdata;
	bool failed = column_int(q, 4) != 0, complete;
	struct run_case item = {
		.row_id = walk->at.row_id,
		.row_number = walk->at.row_number,
		.epoch = walk->at.epoch,
		.cursor = walk->at,
	};
	int r;

	if (!column_null(q, 2) && !(failed && column_int(q, 5) < scan->run.round)) {
		if (failed || scan->op->n_measures == 0)
			return 0;
		item.response_id = column_int(q, 2);
		r = load_decided(scan, &item, &complete);
		if (r < 0 || complete)
			return r;
	}
	r = add_case(scan, &item, scan->run.column_defaults, q, 1, 3, 6);
	if (scan->bytes >= CASES_BYTES_MAX)
		walk->left = 0;
	return r;
}

/* What cannot be compared is not missing. */
static int load_answers(struct scan *scan, struct run_case *item, struct run_decided *decided)
{
	const struct compared *compared = &scan->compared;
	int r = compared_answers(scan->tx, &scan->compared, item->row_id, &item->answers, &scan->bytes);

	for (size_t part = 0; r >= 0 && part < scan->op->n_measures; part++)
		if (!compared_has(compared, item->answers, part))
			decided[item->n_decided++] = (struct run_decided){ .measure_id = (int64_t)part };
	return r;
}

/* Of a batch: what of an earlier round failed is missing. */
static int load_evaluations(struct scan *scan, struct run_case *item)
{
	struct tx *tx = scan->tx;
	struct run_decided *decided = tx_array(tx, scan->op->n_measures, sizeof(*decided));
	size_t n_recorded;
	QUERY q = NULL;
	int r = decided ? 0 : -ENOMEM;

	item->decided = decided;
	if (r >= 0 && scan->op->compares)
		r = load_answers(scan, item, decided);
	if (r < 0)
		return r;
	n_recorded = item->n_decided;
	r = db_query(tx->db, &q, "SELECT part, score IS NOT NULL, round FROM evaluations"
				 " WHERE run_id = ?1 AND template_variables_id = ?2 ORDER BY part", "ii",
		     scan->run.id, item->row_id);
	while (r >= 0 && n_recorded < scan->op->n_measures && (r = db_next(tx->db, q)) > 0) {
		/* What was compared before one of the two was lost is decided above. */
		if (scan->op->compares && !compared_has(&scan->compared, item->answers, (size_t)column_int(q, 0)))
			continue;
		n_recorded++;
		item->scored |= column_int(q, 1) != 0;
		if (column_int(q, 1) || column_int(q, 2) >= scan->run.round)
			decided[item->n_decided++] = (struct run_decided){ .measure_id = column_int(q, 0) };
	}
	item->counted = item->scored && n_recorded == scan->op->n_measures;
	return r;
}

/* (row, values) */
static int look_at_row(struct pair_walk *walk, sqlite3_stmt *q)
{
	struct scan *scan = walk->userdata;
	struct run_case item = {
		.row_id = walk->at.row_id,
		.row_number = walk->at.row_number,
		.epoch = walk->at.epoch,
	};
	int r = load_evaluations(scan, &item);

	if (r >= 0 && item.n_decided < scan->op->n_measures)
		r = add_case(scan, &item, scan->run.column_defaults, q, 1, 1, 1);
	/* Answers were read, and looked for, of one that misses nothing too. */
	if (scan->bytes >= CASES_BYTES_MAX || (scan->op->compares && scan->compared.sides.left <= 0))
		walk->left = 0;
	return r;
}

static int scan_rows(struct scan *scan)
{
	struct pair_walk walk = {
		.tx = scan->tx,
		.run = &scan->run,
		.at = scan->at,
		.left = scan->left,
		.sql = RUN_ROWS("v.id, v.input_values"),
		.found = look_at_row,
		.userdata = scan,
	};
	int r = pair_walk(&walk);

	scan->at = walk.at;
	scan->op->ret_end = r > 0;
	return r;
}

static int scan_pairs(struct scan *scan)
{
	struct pair_walk walk = {
		.tx = scan->tx,
		.run = &scan->run,
		.at = scan->at,
		.left = scan->left,
		.sql = "SELECT v.id, v.input_values, r.id, coalesce(r.response_text, r.tool_calls),"
		       " r.error IS NOT NULL, r.round, r.transcript FROM template_variables v LEFT JOIN responses r"
		       " ON r.template_variables_id = v.id AND r.run_id = ?3 AND r.epoch = ?4"
		       " WHERE v.batch_id = ?1 AND v.id > ?2 AND " ROW_IS_PINNED("?5") " ORDER BY v.id",
		.found = look_at_pair,
		.userdata = scan,
	};
	int r = pair_walk(&walk);

	scan->at = walk.at;
	scan->op->ret_end = r > 0;
	return r;
}

/* ---- Responses that are there ---- */

static int set_origin(struct scan *scan, int64_t run_id)
{
	int r;

	if (scan->origin.id == run_id)
		return 0;
	r = run_row_load(scan->tx, run_id, &scan->origin);
	return r < 0 ? r : run_prompt_load(scan->tx, &scan->origin, &scan->prompt);
}

static int look_at_response(struct scan *scan, const struct run_walk *walk)
{
	struct run_case item = { .row_number = walk->place };
	bool complete;
	QUERY q = NULL;
	int r;

	if (column_int(walk->q, WALK_FAILED))
		return 0;
	item.response_id = column_int(walk->q, WALK_RESPONSE);
	item.epoch = column_int(walk->q, WALK_EPOCH);
	r = load_decided(scan, &item, &complete);
	if (r < 0 || complete)
		return r;
	r = db_row(scan->tx->db, &q,
		   "SELECT r.run_id, r.template_variables_id, coalesce(r.response_text, r.tool_calls),"
		   " v.input_values, r.transcript FROM responses r CROSS JOIN template_variables v"
		   " ON v.id = r.template_variables_id WHERE r.id = ?1", "i", item.response_id);
	if (r > 0)
		r = set_origin(scan, column_int(q, 0));
	if (r < 0)
		return r;
	item.row_id = column_int(q, 1);
	item.prompt = scan->prompt;
	return add_case(scan, &item, scan->origin.column_defaults, q, 3, 2, 4);
}

static int scan_responses(struct scan *scan)
{
	RUN_WALK walk = { 0 };
	int r;

	r = run_walk_begin(scan->tx, &scan->run, scan->at.row_id, scan->left, &walk);
	while (r >= 0 && scan->bytes < CASES_BYTES_MAX && (r = run_walk_next(&walk)) > 0)
		r = look_at_response(scan, &walk);
	scan->at = (struct case_cursor){ .row_id = walk.place };
	scan->op->ret_end = walk.end;
	return r;
}

static int cases_page_run(struct tx *tx, struct cases_page *op)
{
	struct scan *scan = tx_alloc(tx, sizeof(*scan));
	int r;

	if (!scan)
		return -ENOMEM;
	*scan = (struct scan){ .tx = tx, .op = op, .at = op->cursor };
	scan->left = op->scan < 1 ? 1 : op->scan > PAGE_MAX ? PAGE_MAX : op->scan;
	r = run_row_load(tx, op->run_id, &scan->run);
	if (r >= 0 && op->compares)
		r = compared_load(tx, &scan->run, &scan->compared);
	scan->compared.sides.left = LOOKS_MAX;
	if (r >= 0)
		r = op->scores ? scan_rows(scan) :
		    scan->run.n_epochs > 0 ? scan_pairs(scan) : scan_responses(scan);
	op->ret_cases = scan->cases;
	op->ret_n_cases = scan->n_cases;
	op->ret_n_answers = scan->compared.n_epochs * scan->compared.sides.n;
	op->ret_too_large = compared_too_large;
	op->ret_cursor = scan->at;
	return r < 0 ? r : 0;
}

STORE_OPERATION(cases_page, STORE_POINT, true)
