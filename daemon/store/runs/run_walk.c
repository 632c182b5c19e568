#include "daemon/store/runs/run_walk.h"

#include "daemon/store/resources/collections/row_walk.h"


/* ---- Of responses ---- */

#define WALK_COLUMNS                                                                            \
	" r.epoch, r.error IS NOT NULL, r.round, r.duration_usec, r.input_tokens,"              \
	" r.output_tokens, r.cached_tokens, r.cost_nanodollars, r.error, r.fallback," \
	" r.cached"

int run_walk_begin(struct tx *tx, const struct run_row *run, int64_t after, size_t n,
		   struct run_walk *walk)
{
	bool own = !run->source_run_id;

	*walk = (struct run_walk){ .tx = tx, .place = after, .left = n };
	/* json_each() goes through an array in its order. */
	if (run->response_ids)
		return db_query(tx->db, &walk->q,
				"SELECT i.key + 1, r.id, 1," WALK_COLUMNS " FROM json_each(?1) i"
				" CROSS JOIN responses r ON r.id = i.value WHERE i.key >= ?2 LIMIT ?3",
				"sii", run->response_ids, after, (int64_t)n);
	return db_query(tx->db, &walk->q,
			"SELECT r.id, r.id, (?4 IS NULL OR r.epoch = ?4) AND (?5 IS NULL OR EXISTS"
			" (SELECT 1 FROM ratings g WHERE g.response_id = r.id AND g.measure_id = ?5"
			"  AND g.judge_id = ?6 AND g.id <= ?8 AND (?7 IS NULL OR (" RATING_VALUE " >= 0.5) = ?7))),"
			WALK_COLUMNS " FROM responses r WHERE r.run_id = ?1 AND r.id > ?2 AND r.id <= ?3"
			" ORDER BY r.id LIMIT ?9",
			"iiiIIIIii", own ? run->id : run->source_run_id, after,
			own ? INT64_MAX : run->last_response_id, run->filter_epoch,
			run->filter_measure_id, run->filter_judge_id, run->filter_value,
			run->last_rating_id, (int64_t)n);
}

int run_walk_one(struct tx *tx, int64_t response_id, sqlite3_stmt **ret_q)
{
	return db_row(tx->db, ret_q, "SELECT r.id, r.id, 1," WALK_COLUMNS " FROM responses r WHERE r.id = ?1",
		      "i", response_id);
}

int run_walk_next(struct run_walk *walk)
{
	int r;

	do {
		if (walk->left == 0)
			return 0;
		r = db_next(walk->tx->db, walk->q);
		if (r <= 0) {
			walk->end = r == 0;
			return r;
		}
		walk->left--;
		walk->place = column_int(walk->q, WALK_PLACE);
	} while (!column_int(walk->q, WALK_LETS_THROUGH));
	return 1;
}

void run_walk_done(struct run_walk *walk)
{
	statement_reset(&walk->q);
}

/* ---- Of pairs ---- */

/* The rest of a batch, as far as the walk goes. 1: the walk or the epoch is at its end. */
static int walk_batch(struct pair_walk *walk, int64_t batch_id)
{
	struct case_cursor *at = &walk->at;
	QUERY q = NULL;
	int r;

	r = db_query(walk->tx->db, &q, walk->sql, "iiiii", batch_id, at->row_id, walk->run->id,
		     at->epoch, walk->run->last_sequence);
	while (r >= 0) {
		if (walk->left == 0 || at->row_number == walk->run->total_cases)
			return 1;
		r = db_next(walk->tx->db, q);
		if (r <= 0)
			return r;
		walk->left--;
		at->row_id = column_int(q, 0);
		at->row_number++;
		r = walk->found(walk, q);
	}
	return r;
}

/* The rest of the epoch, as far as the walk goes. 1: the epoch is at its end. */
static int walk_epoch(struct pair_walk *walk)
{
	const struct run_row *run = walk->run;
	struct case_cursor *at = &walk->at;
	int64_t batch_id, sequence = at->batch_sequence;
	int r;

	while ((r = rows_next_batch(walk->tx, run->collection_id, run->last_sequence, &sequence,
				    &batch_id)) > 0) {
		if (sequence != at->batch_sequence)
			at->row_id = 0;
		at->batch_sequence = sequence;
		r = walk_batch(walk, batch_id);
		if (r != 0)
			return r < 0 ? r : at->row_number == run->total_cases;
		sequence++;
	}
	/* Pinned rows are never removed, so that this is the end as well. */
	return r < 0 ? r : 1;
}

static void next_epoch(struct pair_walk *walk)
{
	walk->at = (struct case_cursor){
		.epoch = walk->at.epoch + 1,
		.batch_sequence = walk->run->first_sequence + 1,
	};
}

int pair_walk(struct pair_walk *walk)
{
	int r;

	if (walk->at.epoch == 0)
		next_epoch(walk);
	while (walk->at.epoch <= walk->run->n_epochs && walk->left > 0) {
		r = walk_epoch(walk);
		if (r < 0)
			return r;
		if (r > 0)
			next_epoch(walk);
	}
	return walk->at.epoch > walk->run->n_epochs;
}
