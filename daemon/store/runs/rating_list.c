/*
 * The ratings of a rating task, response by response and criterion by criterion as it was asked
 * for. A cursor is the place of a response and how many of the criteria it is past there.
 */
#include <errno.h>

#include "daemon/store/resources.h"
#include "daemon/store/resources/criterion.h"
#include "daemon/store/runs/rating.h"
#include "daemon/store/runs/run.h"
#include "daemon/store/tasks/task.h"

struct listing {
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

static int load(struct listing *listing, struct ratings_list *op)
{
	struct tx *tx = listing->tx;
	int64_t task_id = *op->arguments->task_id;
	const struct ellu_task *task;
	int64_t run_id, experiment_id;
	int r;

	r = task_check_scope(tx, &op->scope, task_id);
	if (r >= 0)
		r = task_load(tx, task_id, &task);
	if (r < 0)
		return r;
	if (task_kind_from_name(task->kind) != TASK_KIND_RATING)
		return fault_invalid(tx->fault, "task_id", "a task that rates");
	r = task_run(tx, task_id, &run_id, &experiment_id);
	if (r >= 0 && run_id)
		r = run_row_load(tx, run_id, &listing->run);
	return r < 0 ? r : run_measures(tx, run_id, &listing->measures);
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
}

/* 1: the page is full. */
static int look(struct listing *listing, int64_t response_id, const struct run_measure *measure)
{
	struct tx *tx = listing->tx;
	struct ellu_rating *rating;
	QUERY q = NULL;
	int r;

	if (page_full(&listing->page))
		return 1;
	listing->n_looks++;
	r = db_query(tx->db, &q, RATING_SELECT " WHERE g.response_id = ?1 AND g.measure_id = ?2"
					       " AND g.judge_id = ?3",
		     "iii", response_id, measure->id, listing->run.judge_id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r <= 0)
		return r;
	r = rating_read(tx, q, /* lean= */ false, &rating);
	if (r >= 0)
		r = rating_list(tx, &listing->page, rating);
	return r < 0 ? r : r == 0;
}

/* 1: the page is full, or this transaction has looked at enough. */
static int list_response(struct listing *listing, const struct run_walk *walk)
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
		r = look(listing, id, listing->measures.items[listing->n_past]);
		if (r != 0)
			return r;
	}
	return 0;
}

/* 1: there is more to look at. */
static int list_step(struct listing *listing)
{
	/* The response where the last step ended may have more. */
	int64_t after = listing->n_past > 0 ? listing->place - 1 : listing->place;
	RUN_WALK walk = { 0 };
	int r;

	listing->n_looks = 0;
	r = run_walk_begin(listing->tx, &listing->run, after, RUN_STEP, &walk);
	while (r >= 0 && (r = run_walk_next(&walk)) > 0) {
		r = list_response(listing, &walk);
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
static int count_some(struct listing *listing)
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

static int begin(struct tx *tx, struct ratings_list *op)
{
	const struct ellu_list_ratings_request *a = op->arguments;
	struct listing *listing = tx_alloc(tx, sizeof(*listing));
	int r;

	if (!listing)
		return -ENOMEM;
	*listing = (struct listing){ .tx = tx, .response_id = a->response_id };
	op->request.state = listing;
	r = page_begin(tx, &op->request, 'k', a->cursor, a->limit, &listing->page);
	listing->place = listing->page.major;
	listing->n_past = listing->page.minor;
	if (r >= 0)
		r = load(listing, op);
	narrow(listing);
	return r;
}

int rating_task_list(struct tx *tx, struct ratings_list *op)
{
	const struct ellu_list_ratings_request *a = op->arguments;
	bool counted = a->count && *a->count;
	struct listing *listing;
	int r = op->request.state ? 0 : begin(tx, op);

	if (r < 0)
		return r;
	listing = op->request.state;
	listing->tx = tx;
	if (!listing->run.id)
		return page_end(tx, &listing->page, counted ? &listing->count : NULL);
	r = listing->page.listed ? count_some(listing) : list_step(listing);
	return page_step(tx, &listing->page, r, counted ? &listing->count : NULL);
}
