/*
 * The ratings of a rating task, response by response and criterion by criterion as it was asked
 * for. A cursor is the place of a response and how many of the criteria it is past there.
 */
#include <errno.h>

#include "daemon/store/asked.h"
#include "daemon/store/criterion.h"
#include "daemon/store/rating.h"
#include "daemon/store/resources.h"
#include "daemon/store/task.h"

/* Ratings that one page looks for: some milliseconds. */
#define LOOKS_MAX 10000

struct listing {
	struct tx *tx;
	const int64_t *response_id; // this one only, or NULL
	int64_t rating_run_id;
	int64_t judge_id;
	struct asked asked;
	struct tx_list measures;
	struct page *page;
	int64_t place; // behind which criterion of which response it stands
	int64_t n_past;
	size_t n_looks;
	struct tx_list items;
};

static int load(struct listing *listing, struct ratings_list *op)
{
	struct tx *tx = listing->tx;
	int64_t task_id = *op->arguments->task_id;
	QUERY q = NULL;
	int r;

	r = task_check_scope(tx, &op->scope, task_id);
	if (r >= 0)
		r = db_query(tx->db, &q, "SELECT t.kind = 'rating', coalesce(n.id, 0),"
					 " coalesce(n.judge_id, 0) FROM tasks t"
					 " LEFT JOIN rating_runs n ON n.id = t.rating_run_id WHERE t.id = ?1",
			     "i", task_id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r < 0)
		return r;
	if (!column_int(q, 0))
		return fault_invalid(tx->fault, "task_id", "a task that rates");
	listing->rating_run_id = column_int(q, 1);
	listing->judge_id = column_int(q, 2);
	if (!listing->rating_run_id)
		return 0; // rejected: it has none
	r = asked_load(tx, 0, listing->rating_run_id, &listing->asked);
	return r < 0 ? r : rating_run_measures(tx, listing->rating_run_id, &listing->measures);
}

/* Of an experiment's responses one is found by its place. */
static void narrow(struct listing *listing)
{
	const int64_t *id = listing->response_id;

	if (!id || listing->asked.response_ids)
		return;
	if (listing->asked.last_response_id > *id)
		listing->asked.last_response_id = *id;
	if (listing->place < *id)
		listing->place = *id - 1;
}

static bool is_full(const struct listing *listing)
{
	return page_full(listing->page, listing->items.n) || listing->n_looks >= LOOKS_MAX;
}

static int look(struct listing *listing, int64_t response_id, const struct run_measure *measure)
{
	struct tx *tx = listing->tx;
	struct ellu_rating *rating;
	QUERY q = NULL;
	int r;

	listing->n_looks++;
	r = db_query(tx->db, &q, RATING_SELECT " WHERE g.response_id = ?1 AND g.measure_id = ?2"
					       " AND g.judge_id = ?3",
		     "iii", response_id, measure->id, listing->judge_id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r <= 0)
		return r;
	listing->page->bytes += rating_bytes(q);
	r = rating_read(tx, q, &rating);
	return r < 0 ? r : tx_append(tx, &listing->items, rating);
}

/* 1: the page is full. */
static int list_response(struct listing *listing, const struct asked_walk *walk)
{
	int64_t id = column_int(walk->q, ASKED_RESPONSE);
	int r = 0;

	if (walk->place != listing->place) {
		if (is_full(listing))
			return 1;
		listing->n_past = 0;
	}
	listing->place = walk->place;
	if (listing->response_id && *listing->response_id != id) {
		listing->n_past = (int64_t)listing->measures.n;
		listing->n_looks++;
		return 0;
	}
	for (; r >= 0 && listing->n_past < (int64_t)listing->measures.n; listing->n_past++) {
		if (is_full(listing))
			return 1;
		r = look(listing, id, listing->measures.items[listing->n_past]);
	}
	return r;
}

static int walk_on(struct listing *listing, bool *ret_end)
{
	/* The response where the last page ended may have more. */
	int64_t after = listing->n_past > 0 ? listing->place - 1 : listing->place;
	ASKED_WALK walk = { 0 };
	int r;

	*ret_end = false;
	r = asked_walk_begin(listing->tx, &listing->asked, after, ASKED_STEP, &walk);
	while (r >= 0 && (r = asked_walk_next(&walk)) > 0) {
		r = list_response(listing, &walk);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	*ret_end = walk.end;
	/* Places that the filter left out are passed as well. */
	if (walk.place != listing->place) {
		listing->place = walk.place;
		listing->n_past = 0;
	}
	return r;
}

static int count_all(struct listing *listing, const int64_t **ret_count)
{
	struct tx *tx = listing->tx;
	int64_t after = 0, sum = 0, n;
	bool end = false;
	int r = 0;

	while (r >= 0 && !end) {
		ASKED_WALK walk = { 0 };

		r = asked_walk_begin(tx, &listing->asked, after, ASKED_STEP, &walk);
		while (r >= 0 && (r = asked_walk_next(&walk)) > 0) {
			r = db_int(tx->db, &n, "SELECT count(*) FROM rating_run_measures m CROSS JOIN"
					       " ratings g ON g.response_id = ?2 AND g.measure_id ="
					       " m.measure_id AND g.judge_id = ?3 WHERE m.rating_run_id = ?1",
				   "iii", listing->rating_run_id, column_int(walk.q, ASKED_RESPONSE),
				   listing->judge_id);
			if (!listing->response_id ||
			    *listing->response_id == column_int(walk.q, ASKED_RESPONSE))
				sum += n;
		}
		after = walk.place;
		end = walk.end;
	}
	*ret_count = tx_int_value(tx, sum);
	return r;
}

int rating_task_page(struct tx *tx, struct ratings_list *op, struct page *page,
		     struct ellu_list_ratings_reply *reply)
{
	const struct ellu_list_ratings_request *a = op->arguments;
	struct listing listing = {
		.tx = tx,
		.response_id = a->response_id,
		.page = page,
		.place = page->major,
		.n_past = page->minor,
	};
	bool end = true;
	int r;

	r = load(&listing, op);
	if (r >= 0 && a->count && *a->count)
		r = count_all(&listing, &reply->count);
	narrow(&listing);
	if (r >= 0 && listing.rating_run_id)
		r = walk_on(&listing, &end);
	if (!end)
		reply->next_cursor = page_cursor(tx, page, listing.place, listing.n_past);
	reply->items = tx_list_items(tx, &listing.items);
	reply->n_items = listing.items.n;
	return r;
}
