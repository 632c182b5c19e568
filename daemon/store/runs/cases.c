/*
 * The scan of a run's (row, epoch) pairs by key: batch sequence and row id, one epoch after the
 * other. Bounded by pairs and by bytes, so that a page is cheap whatever the run's size.
 */
#include <errno.h>
#include <string.h>

#include "daemon/store/engine/tx.h"
#include "daemon/store/resources/rows.h"
#include "daemon/store/runs.h"
#include "daemon/store/runs/asked.h"
#include "proto/limits.h"

/* A run has two pages, and users have many runs. */
#define CASES_BYTES_MAX (1024u * 1024)

struct scan {
	struct tx *tx;
	struct cases_page *op;
	int64_t collection_id;
	int64_t first_sequence;
	int64_t last_sequence;
	int64_t total_cases;
	int64_t n_epochs;
	const char *defaults;
	struct case_cursor at;
	struct run_case *cases;
	size_t n_cases;
	size_t left; // pairs to look at
	size_t bytes;
};

static int load_scan(struct scan *scan)
{
	struct tx *tx = scan->tx;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT collection_id, first_sequence, last_sequence, total_cases,"
				 " n_epochs, column_defaults FROM experiments WHERE id = ?1",
		     "i", scan->op->experiment_id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r < 0)
		return r;
	if (r == 0)
		return fault_not_found(tx->fault, "experiment", NULL, scan->op->experiment_id);
	scan->collection_id = column_int(q, 0);
	scan->first_sequence = column_int(q, 1);
	scan->last_sequence = column_int(q, 2);
	scan->total_cases = column_int(q, 3);
	scan->n_epochs = column_int(q, 4);
	scan->defaults = tx_text(tx, q, 5);
	return 0;
}

/* The ratings that the response has from the current judge, of this run's measures. */
static int load_decided(struct scan *scan, int64_t response_id, struct run_case *item)
{
	struct tx *tx = scan->tx;
	int64_t *decided = tx_array(tx, scan->op->n_measures, sizeof(*decided));
	QUERY q = NULL;
	int r;

	if (!decided)
		return -ENOMEM;
	item->decided_measures = decided;
	r = db_query(tx->db, &q, "SELECT measure_id FROM ratings WHERE response_id = ?1 AND judge_id = ?2"
				 " AND (error IS NULL OR round >= ?4)"
				 " AND measure_id IN (SELECT measure_id FROM experiment_measures"
				 "  WHERE experiment_id = ?3)",
		     "iiii", response_id, scan->op->judge_id, scan->op->experiment_id,
		     scan->op->round);
	while (r >= 0 && item->n_decided < scan->op->n_measures && (r = db_next(tx->db, q)) > 0)
		decided[item->n_decided++] = column_int(q, 0);
	return r;
}

/* (row, values, response, failed, text): one pair; kept when it misses something. A response
 * that is missing again comes as none. */
static int look_at(struct scan *scan, sqlite3_stmt *q)
{
	struct tx *tx = scan->tx;
	struct run_case item = {
		.experiment_id = scan->op->experiment_id,
		.row_id = column_int(q, 0),
		.epoch = scan->at.epoch,
	};
	int r;

	scan->at.row_id = item.row_id;
	item.row_number = ++scan->at.row_number;
	if (!column_null(q, 2)) {
		if (column_int(q, 3) || scan->op->n_measures == 0)
			return 0;
		item.response_id = column_int(q, 2);
		r = load_decided(scan, item.response_id, &item);
		if (r < 0 || item.n_decided == scan->op->n_measures)
			return r;
		item.response_text = tx_text(tx, q, 4);
		scan->bytes += (size_t)sqlite3_column_bytes(q, 4);
	}
	r = collection_fill(tx, scan->defaults, tx_text(tx, q, 1), &item.input_values);
	if (r < 0)
		return r;
	scan->bytes += (size_t)sqlite3_column_bytes(q, 1);
	scan->cases[scan->n_cases++] = item;
	return 0;
}

/* The rest of a batch, as far as the page goes. 1: the page or the epoch is at its end. */
static int scan_batch(struct scan *scan, int64_t batch_id)
{
	struct db *db = scan->tx->db;
	QUERY q = NULL;
	int r;

	r = db_query(db, &q, "SELECT v.id, v.input_values, r.id, r.error IS NOT NULL,"
			     " coalesce(r.response_text, r.tool_calls)"
			     " FROM template_variables v LEFT JOIN responses r"
			     " ON r.template_variables_id = v.id AND r.experiment_id = ?3 AND r.epoch = ?4"
			     " AND (r.error IS NULL OR r.round >= ?5)"
			     " WHERE v.batch_id = ?1 AND v.id > ?2 ORDER BY v.id",
		     "iiiii", batch_id, scan->at.row_id, scan->op->experiment_id, scan->at.epoch,
		     scan->op->round);
	while (r >= 0) {
		if (scan->left == 0 || scan->bytes >= CASES_BYTES_MAX ||
		    scan->at.row_number == scan->total_cases)
			return 1;
		r = db_next(db, q);
		if (r <= 0)
			return r;
		scan->left--;
		r = look_at(scan, q);
	}
	return r;
}

/* The rest of the cursor's epoch, as far as the page goes. 1: the epoch is at its end. */
static int scan_epoch(struct scan *scan)
{
	int64_t batch_id, sequence = scan->at.batch_sequence;
	int r;

	while ((r = rows_next_batch(scan->tx, scan->collection_id, scan->last_sequence, &sequence,
				    &batch_id)) > 0) {
		if (sequence != scan->at.batch_sequence)
			scan->at.row_id = 0;
		scan->at.batch_sequence = sequence;
		r = scan_batch(scan, batch_id);
		if (r < 0)
			return r;
		if (r > 0)
			return scan->at.row_number == scan->total_cases;
		sequence++;
	}
	/* Pinned rows are never removed, so that this is the end as well. */
	return r < 0 ? r : 1;
}

static void next_epoch(struct scan *scan)
{
	scan->at = (struct case_cursor){
		.epoch = scan->at.epoch + 1,
		.batch_sequence = scan->first_sequence + 1,
	};
}

static int cases_page_run(struct tx *tx, struct store_request *request)
{
	struct cases_page *op = (struct cases_page *)request;
	struct scan scan = { .tx = tx, .op = op, .at = op->cursor };
	int r;

	if (op->rating_run_id)
		return asked_cases(tx, op);
	scan.left = op->scan < 1 ? 1 : op->scan > PAGE_MAX ? PAGE_MAX : op->scan;
	scan.cases = tx_array(tx, scan.left, sizeof(*scan.cases));
	if (!scan.cases)
		return -ENOMEM;
	r = load_scan(&scan);
	if (r < 0)
		return r;
	if (scan.at.epoch == 0)
		next_epoch(&scan);
	while (scan.at.epoch <= scan.n_epochs && scan.left > 0 && scan.bytes < CASES_BYTES_MAX) {
		r = scan_epoch(&scan);
		if (r < 0)
			return r;
		if (r > 0)
			next_epoch(&scan);
	}
	op->ret_cases = scan.cases;
	op->ret_n_cases = scan.n_cases;
	op->ret_cursor = scan.at;
	op->ret_end = scan.at.epoch > scan.n_epochs;
	return 0;
}

void store_cases_page(struct store *store, struct cases_page *op)
{
	op->request.patient = true;
	tx_post(store, &op->request, STORE_POINT, cases_page_run);
}
