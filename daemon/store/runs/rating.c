#include "daemon/store/runs/rating.h"

#include <errno.h>
#include <inttypes.h>

#include "daemon/base/clock.h"
#include "daemon/store/resources.h"
#include "daemon/store/runs/response_walk.h"
#include "proto/generated/interface.h"

int rating_read(struct tx *tx, sqlite3_stmt *q, bool lean, struct ellu_rating **ret_rating)
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
	if (!lean) {
		rating->reasoning = tx_text(tx, q, 5);
		rating->raw_text = tx_text(tx, q, 6);
	}
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

int rating_list(struct tx *tx, struct page *page, struct ellu_rating *rating)
{
	int r = page_try(tx, page, &ellu_rating_type, rating);

	if (r != -E2BIG)
		return r;
	rating->raw_text = NULL;
	rating->left_out = page_left_out(tx, "raw_text", "rating", rating->id);
	return page_add(tx, page, &ellu_rating_type, rating, "rating", rating->id);
}

static int read_ratings(struct tx *tx, sqlite3_stmt *q, bool lean, struct tx_list *ratings)
{
	size_t bytes = 0;
	int r;

	while ((r = db_next(tx->db, q)) > 0) {
		struct ellu_rating *rating;

		bytes += (size_t)sqlite3_column_bytes(q, 5) + (size_t)sqlite3_column_bytes(q, 6);
		if (!lean && bytes > MESSAGE_SIZE_MAX)
			return -E2BIG;
		r = rating_read(tx, q, lean, &rating);
		if (r >= 0)
			r = tx_append(tx, ratings, rating);
		if (r < 0)
			break;
	}
	return r;
}

static int query_ratings(struct tx *tx, int64_t run_id, int64_t response_id,
			 int64_t judge_id, sqlite3_stmt **ret_statement)
{
	return db_query(tx->db, ret_statement,
			RATING_COLUMNS " run_measures n CROSS JOIN ratings g"
				       " ON g.response_id = ?2 AND g.measure_id = n.measure_id" RATING_JOINS
				       " WHERE n.run_id = ?1 AND g.judge_id = ?3 ORDER BY n.position",
			"iii", run_id, response_id, judge_id);
}

int ratings_of_response(struct tx *tx, int64_t run_id, int64_t response_id,
			int64_t judge_id, struct tx_list *ratings, bool *ret_lean)
{
	QUERY q = NULL;
	int r;

	*ret_lean = false;
	r = query_ratings(tx, run_id, response_id, judge_id, &q);
	if (r >= 0)
		r = read_ratings(tx, q, /* lean= */ false, ratings);
	if (r != -E2BIG)
		return r;
	*ret_lean = true;
	*ratings = (struct tx_list){ 0 };
	statement_reset(&q);
	r = query_ratings(tx, run_id, response_id, judge_id, &q);
	return r < 0 ? r : read_ratings(tx, q, /* lean= */ true, ratings);
}

/* ---- Lists of an experiment's ---- */

struct listing {
	struct tx *tx;
	struct run_row run;
	struct page page;
	struct response_place at;
	int64_t last_id; // of what is in the page, or was in the one before
	int64_t last_row_number;
	int64_t skip_to; // a rating that the page before ended with, and goes on behind; 0: none
	bool has_response; // the one that was named is the experiment's
	struct count count;
};

/* In the order of the criteria, each by all judges; then what others have asked. */
static const char by_criteria[] =
	RATING_COLUMNS " run_measures n CROSS JOIN ratings g ON g.response_id = ?2"
		       " AND g.measure_id = n.measure_id" RATING_JOINS
		       " WHERE n.run_id = ?1 ORDER BY n.position, g.judge_id";
static const char by_others[] =
	RATING_SELECT " WHERE g.response_id = ?2 AND NOT EXISTS (SELECT 1 FROM run_measures n"
		      "  WHERE n.run_id = ?1 AND n.measure_id = g.measure_id)"
		      " ORDER BY g.measure_id, g.judge_id";

/* 1: the page is full. */
static int list_some(struct listing *listing, const char *sql, int64_t response_id,
		     int64_t row_number)
{
	struct tx *tx = listing->tx;
	struct ellu_rating *rating;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, sql, "ii", listing->run.id, response_id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		if (listing->skip_to) {
			if (listing->skip_to == column_int(q, 0))
				listing->skip_to = 0;
			continue;
		}
		if (page_full(&listing->page))
			return 1;
		r = rating_read(tx, q, /* lean= */ false, &rating);
		if (r >= 0)
			r = rating_list(tx, &listing->page, rating);
		if (r <= 0)
			return r < 0 ? r : 1;
		listing->last_id = rating->id;
		listing->last_row_number = row_number;
	}
	return r;
}

static int list_response(struct listing *listing, int64_t response_id, int64_t row_number)
{
	int r;

	r = list_some(listing, by_criteria, response_id, row_number);
	if (r == 0)
		r = list_some(listing, by_others, response_id, row_number);
	listing->skip_to = 0;
	return r;
}

static int on_response(struct response_walk *walk, int64_t response_id)
{
	return list_response(walk->userdata, response_id, walk->at.row_number);
}

/* 1: there is more to look at. */
static int list_all(struct listing *listing)
{
	struct response_walk walk = {
		.tx = listing->tx,
		.run = &listing->run,
		.at = listing->at,
		.found = on_response,
		.userdata = listing,
	};
	int r = response_walk_step(&walk);

	listing->at = walk.at;
	if (r == RESPONSE_WALK_STOPPED)
		return page_continues(listing->tx, &listing->page, listing->last_id,
				      listing->last_row_number);
	return r < 0 ? r : r == RESPONSE_WALK_MORE;
}

static int list_one(struct listing *listing, int64_t response_id)
{
	int64_t one;
	int r;

	r = db_int(listing->tx->db, &one, "SELECT 1 FROM responses WHERE id = ?1 AND run_id = ?2",
		   "ii", response_id, listing->run.id);
	listing->has_response = r > 0;
	if (r > 0)
		r = list_response(listing, response_id, /* row_number= */ 0);
	return r > 0 ? page_continues(listing->tx, &listing->page, listing->last_id, 0) : r;
}

/* The response where the last page ended may have more. */
static int resume(struct listing *listing)
{
	int64_t response_id = 0;
	int r;

	r = db_int(listing->tx->db, &response_id, "SELECT response_id FROM ratings WHERE id = ?1", "i",
		   listing->page.major);
	if (r >= 0)
		r = response_place_read(listing->tx, &listing->run, response_id, listing->page.minor,
					&listing->at);
	listing->at.epoch--;
	listing->skip_to = listing->page.major;
	return r;
}

static int begin(struct tx *tx, struct ratings_list *op)
{
	const struct ellu_list_ratings_request *a = op->arguments;
	struct listing *listing = tx_alloc(tx, sizeof(*listing));
	int r;

	if (!listing)
		return -ENOMEM;
	*listing = (struct listing){ .tx = tx };
	op->request.state = listing;
	r = experiment_run_resolve(tx, &op->scope, a->experiment, &listing->run);
	if (r >= 0)
		r = page_begin(tx, &op->request, 'g', a->cursor, a->limit, &listing->page);
	if (r >= 0 && listing->page.resumed)
		r = resume(listing);
	return r;
}

/* 1: there is more to count. */
static int count(struct listing *listing, const int64_t *response_id)
{
	int r;

	if (response_id) {
		r = !listing->has_response ? 0 :
			    db_int(listing->tx->db, &listing->count.n,
				   "SELECT count(*) FROM ratings WHERE response_id = ?1", "i", *response_id);
		return r < 0 ? r : 0;
	}
	/* A response takes as long as ten entries of an index. */
	return count_step(listing->tx,
			  "SELECT sum(n), max(id), count(*) * 10 FROM (SELECT r.id, (SELECT count(*)"
			  "  FROM ratings g WHERE g.response_id = r.id) n FROM responses r"
			  " WHERE r.run_id = ?1 AND r.id > ?2 ORDER BY r.id LIMIT ?3 / 10)",
			  listing->run.id, &listing->count);
}

static int experiment_list(struct tx *tx, struct ratings_list *op)
{
	const struct ellu_list_ratings_request *a = op->arguments;
	bool counted = a->count && *a->count;
	struct listing *listing;
	int r = op->request.state ? 0 : begin(tx, op);

	if (r < 0)
		return r;
	listing = op->request.state;
	listing->tx = tx;
	if (listing->page.listed)
		r = count(listing, a->response_id);
	else
		r = a->response_id ? list_one(listing, *a->response_id) : list_all(listing);
	return page_step(tx, &listing->page, r, counted ? &listing->count.n : NULL);
}

static int ratings_list_run(struct tx *tx, struct store_request *request)
{
	struct ratings_list *op = (struct ratings_list *)request;
	const struct ellu_list_ratings_request *a = op->arguments;

	if (!a->experiment == !a->task_id)
		return fault_invalid(tx->fault, "experiment", "either experiment or task_id");
	return a->task_id ? rating_task_list(tx, op) : experiment_list(tx, op);
}

void store_ratings_list(struct store *store, struct ratings_list *op)
{
	tx_post(store, &op->request, STORE_SCAN, ratings_list_run);
}
