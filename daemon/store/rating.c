#include "daemon/store/rating.h"

#include <errno.h>

#include "daemon/clock.h"
#include "daemon/store/experiment.h"
#include "daemon/store/page.h"
#include "daemon/store/resources.h"
#include "proto/generated/interface.h"

int rating_read(struct tx *tx, sqlite3_stmt *q, struct ellu_rating **ret_rating)
{
	struct ellu_criterion *criterion = TX_RECORD(tx, struct ellu_criterion);
	struct ellu_rating *rating = TX_RECORD(tx, struct ellu_rating);

	if (!criterion || !rating)
		return -ENOMEM;
	rating->id = column_int(q, 0);
	rating->response_id = column_int(q, 1);
	criterion->id = column_int(q, 2);
	criterion->criterion_str = tx_text(tx, q, 3);
	rating->criterion = criterion;
	if (!column_null(q, 4)) {
		rating->rating = column_double(q, 4) >= 0.5 ? "YES" : "NO";
		rating->score = tx_double_value(tx, column_double(q, 4));
	}
	rating->reasoning = tx_text(tx, q, 5);
	rating->raw_text = tx_text(tx, q, 6);
	rating->attempts = column_int(q, 8);
	rating->judge = tx_text(tx, q, 9);
	rating->duration_seconds = (double)column_int(q, 10) / USEC_PER_SEC;
	rating->input_tokens = tx_int(tx, q, 11);
	rating->output_tokens = tx_int(tx, q, 12);
	rating->cost = tx_int(tx, q, 13);
	rating->created_at = column_int(q, 14);
	*ret_rating = rating;
	return tx_decode(tx, &ellu_error_type, column_peek(q, 7), &rating->error);
}

size_t rating_bytes(sqlite3_stmt *q)
{
	return 300 + (size_t)sqlite3_column_bytes(q, 3) + (size_t)sqlite3_column_bytes(q, 5) +
	       (size_t)sqlite3_column_bytes(q, 6);
}

int ratings_of_response(struct tx *tx, int64_t experiment_id, int64_t response_id,
			int64_t judge_id, struct tx_list *ratings)
{
	struct ellu_rating *rating;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, RATING_SELECT " WHERE g.response_id = ?1 AND g.judge_id = ?2"
					       " AND g.measure_id IN (SELECT measure_id FROM"
					       "  experiment_measures WHERE experiment_id = ?3)"
					       " ORDER BY g.id",
		     "iii", response_id, judge_id, experiment_id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		r = rating_read(tx, q, &rating);
		if (r >= 0)
			r = tx_append(tx, ratings, rating);
	}
	return r;
}

/* Either way by an index that has the ids in order. */
static int ratings_query(struct tx *tx, const struct experiment_pin *pin,
			 const int64_t *response_id, int64_t after, int64_t limit,
			 sqlite3_stmt **ret_statement)
{
	if (response_id)
		return db_query(tx->db, ret_statement,
				RATING_SELECT " WHERE g.response_id = ?2 AND g.experiment_id = ?1"
					      " AND g.id > ?3 ORDER BY g.id LIMIT ?4",
				"iiii", pin->id, *response_id, after, limit);
	return db_query(tx->db, ret_statement,
			RATING_SELECT " WHERE g.experiment_id = ?1 AND g.id > ?2"
				      " ORDER BY g.id LIMIT ?3",
			"iii", pin->id, after, limit);
}

static int ratings_page(struct tx *tx, const struct experiment_pin *pin, struct ratings_list *op,
			struct page *page, struct ellu_list_ratings_reply *reply)
{
	int64_t id = page->resumed ? page->major : 0;
	struct tx_list items = { 0 };
	QUERY q = NULL;
	int r;

	r = ratings_query(tx, pin, op->arguments->response_id, id, page_fetch(page), &q);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		struct ellu_rating *rating;

		if (page_full(page, items.n)) {
			reply->next_cursor = page_cursor(tx, page, id, 0);
			break;
		}
		r = rating_read(tx, q, &rating);
		if (r < 0)
			return r;
		id = rating->id;
		page->bytes += rating_bytes(q);
		r = tx_append(tx, &items, rating);
	}
	reply->items = tx_list_items(tx, &items);
	reply->n_items = items.n;
	return r;
}

static int experiment_page(struct tx *tx, struct ratings_list *op, struct page *page,
			   struct ellu_list_ratings_reply *reply)
{
	struct experiment_pin pin;
	int64_t count = 0;
	int r;

	r = experiment_pin(tx, &op->scope, op->arguments->experiment, &pin);
	if (r >= 0)
		r = ratings_page(tx, &pin, op, page, reply);
	if (r >= 0 && op->arguments->count && *op->arguments->count) {
		r = db_int(tx->db, &count, "SELECT count(*) FROM ratings WHERE experiment_id = ?1"
					   " AND (?2 IS NULL OR response_id = ?2)",
			   "iI", pin.id, op->arguments->response_id);
		reply->count = tx_int_value(tx, count);
	}
	return r;
}

static int ratings_list_run(struct tx *tx, struct store_request *request)
{
	struct ratings_list *op = (struct ratings_list *)request;
	struct ellu_list_ratings_reply *reply = TX_RECORD(tx, struct ellu_list_ratings_reply);
	const struct ellu_list_ratings_request *a = op->arguments;
	struct page page;
	int r;

	if (!reply)
		return -ENOMEM;
	if (!a->experiment == !a->task_id)
		return fault_invalid(tx->fault, "experiment", "either experiment or task_id");
	r = page_begin(tx, a->task_id ? 'k' : 'g', a->cursor, a->limit, &page);
	if (r >= 0)
		r = a->task_id ? rating_task_page(tx, op, &page, reply) :
				 experiment_page(tx, op, &page, reply);
	op->ret_reply = reply;
	return r;
}

void store_ratings_list(struct store *store, struct ratings_list *op)
{
	bool counted = op->arguments->count && *op->arguments->count;

	tx_post(store, &op->request, counted ? STORE_SCAN : STORE_POINT, ratings_list_run);
}
