/* What came of a batch: its items, and the sums of its evaluators. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "daemon/store/resources/collections/columns.h"
#include "daemon/store/resources/evaluators/evaluator.h"
#include "daemon/store/runs/evaluators.h"
#include "daemon/store/runs/experiment.h"
#include "daemon/store/runs/run_walk.h"
#include "daemon/store/runs/statistics/proportion.h"
#include "proto/generated/interface.h"
#include "proto/statistics/statistics.h"
#include "proto/task_kind.h"

/* ---- Sums ---- */

/* (n_scored, sum, squares, lowest, highest, evaluator_id, name) */
static struct ellu_batch_scores *read_scores(struct tx *tx, sqlite3_stmt *q, int64_t n_total)
{
	struct ellu_batch_scores *scores = TX_RECORD(tx, struct ellu_batch_scores);
	const struct clusters items = {
		.n = column_int(q, 0),
		.n_values = column_int(q, 0),
		.sum = column_double(q, 1),
		.sum_squared = column_double(q, 2),
		.sum_size = column_double(q, 1),
		.size_squared = column_double(q, 0),
	};
	const struct ellu_evaluator *evaluator;
	struct estimate mean;

	if (!scores || evaluator_load(tx, column_int(q, 5), column_peek(q, 6), &evaluator) < 0)
		return NULL;
	scores->evaluator_id = evaluator->id;
	scores->evaluator_name = evaluator->name;
	scores->version = evaluator->version;
	scores->n_scored = items.n;
	scores->n_total = n_total;
	if (items.n == 0)
		return scores;
	mean = clusters_mean(&items, CONFIDENCE);
	scores->mean = tx_known(tx, mean.value);
	scores->low = tx_known(tx, fmax(mean.low, 0));
	scores->high = tx_known(tx, fmin(mean.high, 1));
	if (isnan(mean.error))
		scores->low = scores->high = NULL;
	scores->lowest = tx_double_value(tx, column_double(q, 3));
	scores->highest = tx_double_value(tx, column_double(q, 4));
	return scores;
}

static int batch_results_run(struct tx *tx, struct evaluation_results *op)
{
	struct ellu_batch_result *result = TX_RECORD(tx, struct ellu_batch_result);
	struct tx_list list = { 0 };
	int64_t judge_id = 0;
	QUERY q = NULL;
	int r = result ? run_judge_load(tx, op->run_id, &judge_id, &result->judge_name) : -ENOMEM;

	op->ret_batch = result;
	if (r >= 0 && judge_id)
		result->judge_id = tx_int_value(tx, judge_id);
	if (r >= 0)
		r = db_row(tx->db, &q, "SELECT total, failed FROM run_epochs WHERE run_id = ?1", "i",
			   op->run_id);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	result->items = column_int(q, 0);
	result->failed = column_int(q, 1);
	statement_reset(&q);
	r = db_query(tx->db, &q, "SELECT n_scored, score_sum, score_squares, lowest, highest, evaluator_id,"
				 " name FROM run_evaluators WHERE run_id = ?1 ORDER BY position", "i",
		     op->run_id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		struct ellu_batch_scores *scores = read_scores(tx, q, result->items);

		r = scores ? tx_append(tx, &list, scores) : -ENOMEM;
	}
	result->evaluators = tx_list_items(tx, &list);
	result->n_evaluators = list.n;
	return r < 0 ? r : 0;
}

STORE_OPERATION_OF(evaluation_results, batch_results, STORE_POINT, true)

/* ---- Items ---- */

/* Behind the last of a page. */
static int list_row(struct pair_walk *walk, sqlite3_stmt *q)
{
	struct evaluations_listing *listing = walk->userdata;
	struct page *page = &listing->page;
	struct tx *tx = walk->tx;
	const char *values;
	int r;

	r = collection_fill(tx, listing->run.column_defaults, tx_text(tx, q, 1), &values);
	if (r >= 0)
		r = listing->add(tx, listing, column_int(q, 0), values);
	if (r < 0)
		return r;
	if (r == 0) {
		walk->left = 0;
		return page_continues(tx, page, page->major, page->minor);
	}
	page->major = walk->at.row_number;
	page->minor = walk->at.row_id;
	return 0;
}

static int list_rows(struct tx *tx, struct evaluations_listing *listing)
{
	struct pair_walk walk = {
		.tx = tx,
		.run = &listing->run,
		.left = listing->page.limit + 1,
		.sql = RUN_ROWS("v.id, v.input_values"),
		.found = list_row,
		.userdata = listing,
	};
	int r = 1;

	if (listing->page.resumed) {
		walk.at = (struct case_cursor){ .epoch = 1, .row_id = listing->page.minor,
						.row_number = listing->page.major };
		r = db_int(tx->db, &walk.at.batch_sequence, "SELECT b.sequence FROM template_variables v"
							    " CROSS JOIN row_batches b ON b.id = v.batch_id"
							    " WHERE v.id = ?1", "i", listing->page.minor);
	}
	if (r == 0)
		return fault_invalid(tx->fault, "cursor", PAGE_CURSOR_EXPECTED);
	return r < 0 ? r : pair_walk(&walk);
}

static int find_run(struct tx *tx, const struct scope *scope, int64_t task_id,
		    struct evaluations_listing *listing)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT kind, run_id, project_id FROM tasks WHERE id = ?1"
			       " AND (owner_uid = ?2 OR ?3)", "iib", task_id, scope->uid, (int)scope->all);
	if (r > 0 && !scope_covers(scope, column_int(q, 2)))
		r = 0;
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "task", NULL, task_id);
	if (task_kind_from_name(column_peek(q, 0)) != listing->kind)
		return fault_invalid(tx->fault, "id", "%s", listing->expected);
	if (column_null(q, 1))
		return 0; // it was rejected
	return run_row_load(tx, column_int(q, 1), &listing->run);
}

int evaluations_list(struct tx *tx, struct method_run *op, int64_t task_id, struct evaluations_listing *listing)
{
	int r = page_begin(tx, op, listing->letter, &listing->page);

	if (r >= 0)
		r = find_run(tx, &op->scope, task_id, listing);
	if (r >= 0 && listing->run.id && listing->begin)
		r = listing->begin(tx, listing);
	if (r >= 0 && listing->run.id)
		r = list_rows(tx, listing);
	return r < 0 ? r : page_end(tx, &listing->page, listing->run.total_cases);
}

/* ---- Those of batches ---- */

struct batch_listing {
	struct evaluations_listing base;
	int64_t n_evaluators;
};

static int count_evaluators(struct tx *tx, struct evaluations_listing *listing)
{
	return db_int(tx->db, &((struct batch_listing *)listing)->n_evaluators,
		      "SELECT count(*) FROM run_evaluators WHERE run_id = ?1", "i", listing->run.id);
}

static int read_results(struct tx *tx, const struct batch_listing *listing, struct ellu_batch_item *item)
{
	struct tx_list list = { 0 };
	bool scored = false;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT result, score IS NOT NULL FROM evaluations WHERE run_id = ?1"
				 " AND template_variables_id = ?2 ORDER BY part", "ii", listing->base.run.id,
		     item->template_variables_id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		const struct ellu_evaluator_result *result;

		r = tx_decode(tx, &ellu_evaluator_result_type, column_peek(q, 0), &result);
		if (r >= 0)
			r = tx_append(tx, &list, result);
		if (r >= 0 && !item->error)
			item->error = result->error;
		scored |= column_int(q, 1) != 0;
	}
	item->results = tx_list_items(tx, &list);
	item->n_results = list.n;
	item->status = (int64_t)list.n < listing->n_evaluators ? "pending" : scored ? "finished" : "failed";
	if (strcmp(item->status, "failed") != 0)
		item->error = NULL;
	return r;
}

static int add_item(struct tx *tx, struct evaluations_listing *listing, int64_t row_id, const char *values)
{
	struct ellu_batch_item *item = TX_RECORD(tx, struct ellu_batch_item);
	int r;

	if (!item)
		return -ENOMEM;
	item->template_variables_id = row_id;
	item->input_values = values;
	r = read_results(tx, (struct batch_listing *)listing, item);
	return r < 0 ? r : page_add(tx, &listing->page, &ellu_batch_item_type, item, "item", row_id);
}

int batch_items_list(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_batch_items_request *request = op->arguments;
	struct batch_listing listing = {
		.base = { .kind = TASK_KIND_BATCH_EVALUATION, .expected = "a task that scores a batch", .letter = 'b',
			  .begin = count_evaluators, .add = add_item },
	};

	return evaluations_list(tx, op, request->id, &listing.base);
}
