/* Ratings as records, and in pages. */
#include <errno.h>

#include "daemon/base/clock.h"
#include "daemon/store/resources/criterion.h"
#include "daemon/store/runs/response.h"
#include "daemon/store/tasks/task.h"
#include "proto/generated/interface.h"

#define RATING_COLUMNS                                                                          \
	"SELECT g.id, g.response_id, m.criterion_id, m.text, g.value, g.reasoning, g.raw_text," \
	" g.error, g.attempts, j.name, g.duration_usec, g.input_tokens, g.output_tokens,"       \
	" g.cost_nanodollars, g.created_at FROM"
#define RATING_JOINS                                                                            \
	" CROSS JOIN measures m ON m.id = g.measure_id CROSS JOIN judges j ON j.id = g.judge_id"
#define RATING_SELECT RATING_COLUMNS " ratings g" RATING_JOINS

enum rating_column {
	COLUMN_ID,
	COLUMN_REASONING = 5,
	COLUMN_RAW_TEXT,
};

/* In the order of the list; `lean`: without what the model said. */
static int rating_read(struct tx *tx, sqlite3_stmt *q, bool lean, struct ellu_rating **ret_rating)
{
	struct ellu_criterion *criterion = TX_RECORD(tx, struct ellu_criterion);
	struct ellu_rating *rating = TX_RECORD(tx, struct ellu_rating);
	int c = COLUMN_ID, r;

	if (!criterion || !rating)
		return -ENOMEM;
	rating->id = column_int(q, c++);
	rating->response_id = column_int(q, c++);
	criterion->id = column_int(q, c++);
	criterion->criterion_str = tx_text(tx, q, c++);
	rating->criterion = criterion;
	if (!column_null(q, c)) {
		rating->rating = column_double(q, c) >= 0.5 ? "YES" : "NO";
		rating->score = tx_double_value(tx, column_double(q, c));
	}
	if (!lean) {
		rating->reasoning = tx_text(tx, q, COLUMN_REASONING);
		rating->raw_text = tx_text(tx, q, COLUMN_RAW_TEXT);
	}
	c = COLUMN_RAW_TEXT + 1;
	r = tx_decode(tx, &ellu_error_type, column_peek(q, c++), &rating->error);
	rating->attempts = column_int(q, c++);
	rating->judge = tx_text(tx, q, c++);
	rating->duration_seconds = (double)column_int(q, c++) / USEC_PER_SEC;
	rating->input_tokens = tx_int(tx, q, c++);
	rating->output_tokens = tx_int(tx, q, c++);
	rating->cost = tx_int(tx, q, c++);
	rating->created_at = column_int(q, c++);
	*ret_rating = rating;
	return r;
}

/* Puts it into the page; 0: the page is full. What no message could hold is left out. */
static int rating_list(struct tx *tx, struct page *page, struct ellu_rating *rating)
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

		bytes += (size_t)sqlite3_column_bytes(q, COLUMN_REASONING) +
			 (size_t)sqlite3_column_bytes(q, COLUMN_RAW_TEXT);
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

/* ---- An experiment's ---- */

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
			if (listing->skip_to == column_int(q, COLUMN_ID))
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

static int begin(struct tx *tx, struct method_run *op)
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
		r = page_begin(tx, op, 'g', &listing->page);
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

static int experiment_list(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_ratings_request *a = op->arguments;
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
	return page_step(tx, &listing->page, r, listing->count.n);
}

/* ---- A task's ---- */

/*
 * Response by response and criterion by criterion as it was asked for. A cursor is the place of a
 * response and how many of the criteria it is past there.
 */

struct task_listing {
	struct tx *tx;
	const int64_t *response_id; // this one only, or NULL
	struct run_row run; // without an id: there is none
	struct tx_list measures;
	struct page page;
	int64_t place; // behind which criterion of which response it stands
	int64_t n_past;
	size_t n_looks; // in this transaction
	int64_t counted_place; // behind which response the count is
	int64_t count;
};

static int task_load_run(struct task_listing *listing, struct method_run *op)
{
	const struct ellu_list_ratings_request *a = op->arguments;
	struct tx *tx = listing->tx;
	int64_t task_id = *a->task_id;
	struct task_row task;
	int r = task_row_find(tx, &op->scope, task_id, &task);

	if (r < 0)
		return r;
	if (task_kind_from_name(task.task->kind) != TASK_KIND_RATING)
		return fault_invalid(tx->fault, "task_id", "a task that rates");
	if (task.run_id)
		r = run_row_load(tx, task.run_id, &listing->run);
	return r < 0 ? r : run_measures(tx, task.run_id, &listing->measures);
}

/* Of an experiment's responses one is found by its place. */
static void narrow(struct task_listing *listing)
{
	const int64_t *id = listing->response_id;

	if (!id || listing->run.response_ids)
		return;
	if (listing->run.last_response_id > *id)
		listing->run.last_response_id = *id;
	if (listing->place < *id)
		listing->place = *id - 1;
}

/* 1: the page is full. */
static int task_look(struct task_listing *listing, int64_t response_id, const struct run_measure *measure)
{
	struct tx *tx = listing->tx;
	struct ellu_rating *rating;
	QUERY q = NULL;
	int r;

	if (page_full(&listing->page))
		return 1;
	listing->n_looks++;
	r = db_row(tx->db, &q, RATING_SELECT " WHERE g.response_id = ?1 AND g.measure_id = ?2"
					     " AND g.judge_id = ?3",
		   "iii", response_id, measure->id, listing->run.judge_id);
	if (r <= 0)
		return r;
	r = rating_read(tx, q, /* lean= */ false, &rating);
	if (r >= 0)
		r = rating_list(tx, &listing->page, rating);
	return r < 0 ? r : r == 0;
}

/* 1: the page is full, or this transaction has looked at enough. */
static int task_list_response(struct task_listing *listing, const struct run_walk *walk)
{
	int64_t id = column_int(walk->q, WALK_RESPONSE);
	int r;

	if (walk->place != listing->place) {
		if (page_full(&listing->page) || listing->n_looks >= LOOKS_MAX)
			return 1;
		listing->n_past = 0;
	}
	listing->place = walk->place;
	if (listing->response_id && *listing->response_id != id) {
		listing->n_past = (int64_t)listing->measures.n;
		return 0;
	}
	for (; listing->n_past < (int64_t)listing->measures.n; listing->n_past++) {
		if (listing->n_looks >= LOOKS_MAX)
			return 1;
		r = task_look(listing, id, listing->measures.items[listing->n_past]);
		if (r != 0)
			return r;
	}
	return 0;
}

/* 1: there is more to look at. */
static int task_list_step(struct task_listing *listing)
{
	/* The response where the last step ended may have more. */
	int64_t after = listing->n_past > 0 ? listing->place - 1 : listing->place;
	RUN_WALK walk = { 0 };
	int r;

	listing->n_looks = 0;
	r = run_walk_begin(listing->tx, &listing->run, after, RUN_STEP, &walk);
	while (r >= 0 && (r = run_walk_next(&walk)) > 0) {
		r = task_list_response(listing, &walk);
		if (r < 0)
			return r;
		if (r > 0)
			return listing->n_looks >= LOOKS_MAX && !page_full(&listing->page) ?
				       1 :
				       page_continues(listing->tx, &listing->page, listing->place,
						      listing->n_past);
	}
	/* Places that the filter left out are passed as well. */
	if (walk.place != listing->place) {
		listing->place = walk.place;
		listing->n_past = 0;
	}
	return r < 0 ? r : !walk.end;
}

/* 1: there is more to count. */
static int task_count(struct task_listing *listing)
{
	struct tx *tx = listing->tx;
	RUN_WALK walk = { 0 };
	int64_t n;
	int r;

	r = run_walk_begin(tx, &listing->run, listing->counted_place, RUN_STEP, &walk);
	while (r >= 0 && (r = run_walk_next(&walk)) > 0) {
		if (listing->response_id &&
		    *listing->response_id != column_int(walk.q, WALK_RESPONSE))
			continue;
		r = db_int(tx->db, &n, "SELECT count(*) FROM run_measures m CROSS JOIN"
				       " ratings g ON g.response_id = ?2 AND g.measure_id ="
				       " m.measure_id AND g.judge_id = ?3 WHERE m.run_id = ?1",
			   "iii", listing->run.id, column_int(walk.q, WALK_RESPONSE),
			   listing->run.judge_id);
		listing->count += n;
	}
	listing->counted_place = walk.place;
	return r < 0 ? r : !walk.end;
}

static int task_begin(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_ratings_request *a = op->arguments;
	struct task_listing *listing = tx_alloc(tx, sizeof(*listing));
	int r;

	if (!listing)
		return -ENOMEM;
	*listing = (struct task_listing){ .tx = tx, .response_id = a->response_id };
	op->request.state = listing;
	r = page_begin(tx, op, 'k', &listing->page);
	listing->place = listing->page.major;
	listing->n_past = listing->page.minor;
	if (r >= 0)
		r = task_load_run(listing, op);
	narrow(listing);
	return r;
}

static int task_list(struct tx *tx, struct method_run *op)
{
	struct task_listing *listing;
	int r = op->request.state ? 0 : task_begin(tx, op);

	if (r < 0)
		return r;
	listing = op->request.state;
	listing->tx = tx;
	if (!listing->run.id)
		return page_end(tx, &listing->page, listing->count);
	r = listing->page.listed ? task_count(listing) : task_list_step(listing);
	return page_step(tx, &listing->page, r, listing->count);
}

int ratings_list(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_ratings_request *a = op->arguments;

	if (!a->experiment == !a->task_id)
		return fault_invalid(tx->fault, "experiment", "either experiment or task_id");
	return a->task_id ? task_list(tx, op) : experiment_list(tx, op);
}
