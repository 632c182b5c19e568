#include "daemon/store/runs/asked.h"

#include <errno.h>

int asked_load(struct tx *tx, int64_t experiment_id, int64_t rating_run_id, struct asked *asked)
{
	QUERY q = NULL;
	int r;

	*asked = (struct asked){ .experiment_id = experiment_id, .last_response_id = INT64_MAX };
	if (!rating_run_id)
		return 0;
	r = db_query(tx->db, &q, "SELECT coalesce(experiment_id, 0), response_ids, last_response_id,"
				 " epoch, filter_measure_id, filter_judge_id, filter_value,"
				 " last_rating_id FROM rating_runs WHERE id = ?1",
		     "i", rating_run_id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "rating run", NULL, rating_run_id);
	asked->experiment_id = column_int(q, 0);
	asked->response_ids = tx_text(tx, q, 1);
	asked->last_response_id = column_int(q, 2);
	asked->epoch = tx_int(tx, q, 3);
	asked->filter_measure_id = tx_int(tx, q, 4);
	asked->filter_judge_id = tx_int(tx, q, 5);
	asked->filter_value = tx_int(tx, q, 6);
	asked->last_rating_id = column_int(q, 7);
	return tx->oom ? -ENOMEM : 0;
}

#define COLUMNS                                                                                 \
	" r.epoch, r.error IS NOT NULL, r.round, r.duration_usec, r.input_tokens,"                  \
	" r.output_tokens, r.cost_nanodollars, r.error"

int asked_walk_begin(struct tx *tx, const struct asked *asked, int64_t after, size_t n,
		     struct asked_walk *walk)
{
	*walk = (struct asked_walk){ .tx = tx, .place = after, .left = n };
	/* json_each() goes through an array in its order. */
	if (asked->response_ids)
		return db_query(tx->db, &walk->q,
				"SELECT i.key + 1, r.id, 1," COLUMNS " FROM json_each(?1) i"
				" CROSS JOIN responses r ON r.id = i.value WHERE i.key >= ?2 LIMIT ?3",
				"sii", asked->response_ids, after, (int64_t)n);
	return db_query(tx->db, &walk->q,
			"SELECT r.id, r.id, (?4 IS NULL OR r.epoch = ?4) AND (?5 IS NULL OR EXISTS"
			" (SELECT 1 FROM ratings g WHERE g.response_id = r.id AND g.measure_id = ?5"
			"  AND g.judge_id = ?6 AND g.id <= ?8 AND (?7 IS NULL OR (g.value >= 0.5) = ?7)))," COLUMNS
			" FROM responses r WHERE r.experiment_id = ?1 AND r.id > ?2 AND r.id <= ?3"
			" ORDER BY r.id LIMIT ?9",
			"iiiIIIIii", asked->experiment_id, after, asked->last_response_id, asked->epoch,
			asked->filter_measure_id, asked->filter_judge_id, asked->filter_value,
			asked->last_rating_id, (int64_t)n);
}

int asked_walk_next(struct asked_walk *walk)
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
		walk->place = column_int(walk->q, ASKED_PLACE);
	} while (!column_int(walk->q, ASKED_LETS_THROUGH));
	return 1;
}

void asked_walk_done(struct asked_walk *walk)
{
	statement_reset(&walk->q);
}
