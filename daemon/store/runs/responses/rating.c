/* Ratings as records, and in pages. */
#include <errno.h>

#include "daemon/base/clock.h"
#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/runs/responses/response.h"
#include "daemon/store/runs/run_walk.h"
#include "proto/generated/interface.h"
#include "proto/task_kind.h"

#define PERSON "person" // as a judge

#define RATING_COLUMNS                                                                          \
	"SELECT g.id, g.response_id, c.id, m.text, c.label, c.created_at, m.rule, g.value, g.reasoning, g.raw_text," \
	" g.error, g.attempts, iif(c.id IS NULL, iif(m.by_judge, j.name, m.text), iif(m.rule = '', j.name, 'check')), g.duration_usec, g.input_tokens, g.output_tokens,"       \
	" g.cost_nanodollars, g.created_at, p.value, p.reasoning, p.created_at, g.cached_tokens FROM"
#define RATING_JOINS                                                                            \
	" CROSS JOIN measures m ON m.id = g.measure_id CROSS JOIN judges j ON j.id = g.judge_id" \
	" LEFT JOIN criteria c ON c.id = m.criterion_id"                                        \
	" LEFT JOIN ratings p ON p.response_id = g.response_id AND p.measure_id = g.measure_id" \
	" AND p.judge_id IS NULL"

/* Of a response, in the order of a run's criteria, by one judge or (NULL) each by all of them; and
 * then what others have asked. ?1 the run, ?2 the response, ?3 the judge. */
#define BY_CRITERIA(judge)                                                                      \
	RATING_COLUMNS " run_measures n CROSS JOIN ratings g ON g.response_id = ?2"             \
		       " AND g.measure_id = n.measure_id AND " judge RATING_JOINS                \
		       " WHERE n.run_id = ?1 ORDER BY n.position, g.judge_id"
static const char by_judge[] = BY_CRITERIA("g.judge_id = ?3");
static const char by_judges[] = BY_CRITERIA("?3 IS NULL");
static const char by_others[] =
	RATING_COLUMNS " ratings g" RATING_JOINS " WHERE ?3 IS NULL AND g.response_id = ?2"
		       " AND NOT EXISTS (SELECT 1 FROM run_measures n"
		       "  WHERE n.run_id = ?1 AND n.measure_id = g.measure_id)"
		       " ORDER BY g.measure_id, g.judge_id";

enum rating_column {
	COLUMN_ID,
	COLUMN_REASONING = 8,
	COLUMN_RAW_TEXT,
	COLUMN_OVERRULED = 18, // value, reasoning and time; NULL: not
};

/* What a person says takes the place of what the judge said. */
static int overrule(struct tx *tx, sqlite3_stmt *q, bool lean, struct ellu_rating *rating)
{
	struct ellu_verdict *original = TX_RECORD(tx, struct ellu_verdict);
	double value = column_double(q, COLUMN_OVERRULED);

	if (!original)
		return -ENOMEM;
	original->rating = rating->rating;
	original->score = rating->score;
	original->reasoning = rating->reasoning;
	original->error = rating->error;
	original->judge = rating->judge;
	original->created_at = rating->created_at;
	rating->original = original;
	rating->edited = 1;
	rating->rating = value >= 0.5 ? "YES" : "NO";
	rating->score = tx_double_value(tx, value);
	rating->reasoning = lean ? NULL : tx_text(tx, q, COLUMN_OVERRULED + 1);
	rating->error = NULL;
	rating->judge = PERSON;
	rating->created_at = column_int(q, COLUMN_OVERRULED + 2);
	return 0;
}

static int read_rule(struct tx *tx, sqlite3_stmt *q, int column, struct ellu_criterion *criterion,
		     struct ellu_rating *rating)
{
	struct ellu_evaluator_use *use;
	int r;

	if (criterion->id)
		return check_read(tx, q, column, &criterion->check);
	r = tx_decode(tx, &ellu_evaluator_use_type, column_peek(q, column), &use);
	if (r >= 0)
		rating->evaluator = use->evaluator;
	return r;
}

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
	criterion->id = tx_int(tx, q, c++);
	criterion->criterion_str = tx_text(tx, q, c++);
	criterion->label = tx_text(tx, q, c++);
	criterion->created_at = tx_int(tx, q, c++);
	r = read_rule(tx, q, c++, criterion, rating);
	if (r < 0)
		return r;
	rating->criterion = criterion;
	if (!column_null(q, c)) {
		rating->rating = rating->evaluator ? NULL : column_double(q, c) >= 0.5 ? "YES" : "NO";
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
	rating->cached_tokens = tx_int(tx, q, COLUMN_OVERRULED + 3);
	*ret_rating = rating;
	return r < 0 || column_null(q, COLUMN_OVERRULED) ? r : overrule(tx, q, lean, rating);
}

int rating_load(struct tx *tx, int64_t id, struct ellu_rating **ret_rating)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, RATING_COLUMNS " ratings g" RATING_JOINS " WHERE g.id = ?1", "i", id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "rating", NULL, id);
	return rating_read(tx, q, /* lean= */ false, ret_rating);
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
			 (size_t)sqlite3_column_bytes(q, COLUMN_RAW_TEXT) +
			 (size_t)sqlite3_column_bytes(q, COLUMN_OVERRULED + 1);
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

int ratings_of_response(struct tx *tx, int64_t run_id, int64_t response_id,
			int64_t judge_id, struct tx_list *ratings, bool *ret_lean)
{
	int r = -E2BIG;

	for (int lean = 0; lean <= 1 && r == -E2BIG; lean++) {
		QUERY q = NULL;

		*ret_lean = lean;
		*ratings = (struct tx_list){ 0 };
		r = db_query(tx->db, &q, by_judge, "iiI", run_id, response_id, &judge_id);
		if (r >= 0)
			r = read_ratings(tx, q, lean, ratings);
	}
	return r;
}

/* ---- Lists ---- */

/*
 * Those of an experiment's responses, in the order of its rows: the cursor is the last rating and
 * its row's number. Or those that a task asked for, in the order of its responses: the cursor is the
 * place of the last one and, where it may have more, its last rating.
 */
struct listing {
	struct tx *tx;
	struct run_row run; // without an id: the task has none
	struct page page;
	const int64_t *judge_id; // of a task; NULL: all of them
	int64_t n_measures; // the same
	const int64_t *response_id; // this one only, or NULL
	struct response_place at; // of an experiment
	int64_t place; // of a task: behind which response
	int64_t last_id; // of what is in the page, or was in the one before
	int64_t last_row_number;
	int64_t skip_to; // a rating that the page before ended with, and goes on behind; 0: none
	bool has_response; // the one that was named is the experiment's
	struct count count;
};

/* 1: the page is full. */
static int list_some(struct listing *listing, const char *sql, int64_t response_id)
{
	struct tx *tx = listing->tx;
	struct ellu_rating *rating;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, sql, "iiI", listing->run.id, response_id, listing->judge_id);
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
	}
	return r;
}

static int list_response(struct listing *listing, int64_t response_id)
{
	int r;

	r = list_some(listing, listing->judge_id ? by_judge : by_judges, response_id);
	if (r == 0 && !listing->judge_id)
		r = list_some(listing, by_others, response_id);
	listing->skip_to = 0;
	return r;
}

/* ---- An experiment's ---- */

static int on_response(struct response_walk *walk, int64_t response_id)
{
	struct listing *listing = walk->userdata;
	int64_t before = listing->last_id;
	int r = list_response(listing, response_id);

	if (listing->last_id != before)
		listing->last_row_number = walk->at.row_number;
	return r;
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

static int list_one(struct listing *listing)
{
	int64_t one, id = *listing->response_id;
	int r;

	r = db_int(listing->tx->db, &one, "SELECT 1 FROM responses WHERE id = ?1 AND run_id = ?2",
		   "ii", id, listing->run.id);
	listing->has_response = r > 0;
	if (r > 0)
		r = list_response(listing, id);
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

/* 1: there is more to count. */
static int count_all(struct listing *listing)
{
	int r;

	if (listing->response_id) {
		r = !listing->has_response ? 0 :
			    db_int(listing->tx->db, &listing->count.n,
				   "SELECT count(judge_id) FROM ratings WHERE response_id = ?1", "i",
				   *listing->response_id);
		return r < 0 ? r : 0;
	}
	/* A response takes as long as ten entries of an index. */
	return count_step(listing->tx,
			  "SELECT sum(n), max(id), count(*) * 10 FROM (SELECT r.id, (SELECT count(g.judge_id)"
			  "  FROM ratings g WHERE g.response_id = r.id) n FROM responses r"
			  " WHERE r.run_id = ?1 AND r.id > ?2 ORDER BY r.id LIMIT ?3 / 10)",
			  listing->run.id, &listing->count);
}

/* ---- A task's ---- */

static int load_task(struct listing *listing, const struct scope *scope, int64_t id)
{
	struct tx *tx = listing->tx;
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT kind, run_id, project_id FROM tasks WHERE id = ?1"
			       " AND (owner_uid = ?2 OR ?3)", "iib", id, scope->uid, (int)scope->all);
	if (r > 0 && !scope_covers(scope, column_int(q, 2)))
		r = 0;
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "task", NULL, id);
	if (task_kind_from_name(column_peek(q, 0)) != TASK_KIND_RATING)
		return fault_invalid(tx->fault, "task_id", "a task that rates");
	if (column_null(q, 1))
		return 0;
	listing->judge_id = &listing->run.judge_id;
	r = run_row_load(tx, column_int(q, 1), &listing->run);
	return r < 0 ? r : db_int(tx->db, &listing->n_measures, "SELECT count(*) FROM run_measures"
				  " WHERE run_id = ?1", "i", listing->run.id);
}

/* Of an experiment's responses one is found by its place. */
static void narrow(struct listing *listing)
{
	const int64_t *id = listing->response_id;

	if (!id || listing->run.response_ids)
		return;
	if (listing->run.last_response_id > *id)
		listing->run.last_response_id = *id;
	if (listing->place < *id)
		listing->place = *id - 1;
	listing->count.after = *id - 1;
}

static int begin_of_task(struct listing *listing, const struct scope *scope, int64_t id)
{
	int r = load_task(listing, scope, id);

	listing->skip_to = listing->page.minor;
	listing->place = listing->page.major - (listing->skip_to != 0);
	narrow(listing);
	return r;
}

/* 1: the page is full. */
static int list_of_task(struct listing *listing, int64_t response_id)
{
	listing->last_id = 0;
	return list_response(listing, response_id);
}

static int count_of_task(struct listing *listing, int64_t response_id)
{
	int64_t n = 0;
	int r;

	r = db_int(listing->tx->db, &n,
		   "SELECT count(*) FROM run_measures m CROSS JOIN ratings g ON g.response_id = ?2"
		   " AND g.measure_id = m.measure_id AND g.judge_id = ?3 WHERE m.run_id = ?1", "iii",
		   listing->run.id, response_id, listing->run.judge_id);
	listing->count.n += n;
	return r < 0 ? r : 0;
}

/* 1: there is more to look at. A count goes behind its own place. */
static int step_of_task(struct listing *listing, int64_t *place,
			int (*look)(struct listing *listing, int64_t response_id))
{
	RUN_WALK walk = { 0 };
	int64_t n_looks = 0;
	int r;

	if (!listing->run.id)
		return 0;
	r = run_walk_begin(listing->tx, &listing->run, *place, RUN_STEP, &walk);
	while (r >= 0 && n_looks < LOOKS_MAX && (r = run_walk_next(&walk)) > 0) {
		int64_t id = column_int(walk.q, WALK_RESPONSE);

		if (listing->response_id && *listing->response_id != id)
			continue;
		n_looks += listing->n_measures;
		r = look(listing, id);
		if (r > 0)
			return page_continues(listing->tx, &listing->page,
					      walk.place - !listing->last_id, listing->last_id);
	}
	*place = walk.place;
	return r < 0 ? r : !walk.end;
}

/* ---- The method ---- */

static int begin(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_ratings_request *a = op->arguments;
	struct listing *listing = tx_alloc(tx, sizeof(*listing));
	int r;

	if (!listing)
		return -ENOMEM;
	listing->tx = tx;
	listing->response_id = a->response_id;
	op->request.state = listing;
	r = page_begin(tx, op, a->task_id ? 'k' : 'g', &listing->page);
	if (r >= 0)
		r = a->task_id ? begin_of_task(listing, &op->scope, *a->task_id) :
				 experiment_run_resolve(tx, &op->scope, a->experiment, &listing->run);
	return r < 0 || a->task_id || !listing->page.resumed ? r : resume(listing);
}

int ratings_list(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_ratings_request *a = op->arguments;
	struct listing *listing;
	int r = op->request.state ? 0 : begin(tx, op);

	if (r < 0)
		return r;
	listing = op->request.state;
	listing->tx = tx;
	if (a->task_id && listing->page.listed)
		r = step_of_task(listing, &listing->count.after, count_of_task);
	else if (a->task_id)
		r = step_of_task(listing, &listing->place, list_of_task);
	else if (listing->page.listed)
		r = count_all(listing);
	else
		r = a->response_id ? list_one(listing) : list_all(listing);
	return page_step(tx, &listing->page, r, listing->count.n);
}
