#include "daemon/store/runs/response_walk.h"

#include "daemon/store/resources/rows.h"

/* ?1 run, ?2 epoch, ?3 failed, ?4 criterion, ?5 value, ?6 judge. */
#define LETS_THROUGH                                                                            \
	" (?2 IS NULL OR r.epoch = ?2) AND (?3 IS NULL OR (r.error IS NOT NULL) = ?3)"          \
	" AND ((?4 IS NULL AND ?5 IS NULL) OR EXISTS (SELECT 1 FROM ratings g"                  \
	"  CROSS JOIN measures m ON m.id = g.measure_id CROSS JOIN run_measures e"       \
	"  ON e.run_id = ?1 AND e.measure_id = m.id WHERE g.response_id = r.id"          \
	"  AND g.judge_id = ?6 AND (?4 IS NULL OR m.criterion_id = ?4)"                         \
	"  AND (?5 IS NULL OR (g.value >= 0.5) = ?5)))"
#define LETS_THROUGH_FORMAT "iIIIIi"
#define LETS_THROUGH_VALUES(walk)                                                               \
	(walk)->run->id, (walk)->filter->epoch, (walk)->filter->failed,                         \
		(walk)->filter->criterion_id, (walk)->filter->value, (walk)->run->judge_id

enum column {
	COLUMN_ROW,
	COLUMN_RESPONSE,
	COLUMN_EPOCH,
	COLUMN_LETS_THROUGH,
};

/* ---- By rows and epochs ---- */

/* A row without a response is passed as well. `*ret_end`: it is none of the experiment's. */
static int look(struct response_walk *walk, sqlite3_stmt *q, size_t *left, bool *ret_end)
{
	struct response_place next = walk->at;
	int64_t row_id = column_int(q, COLUMN_ROW);
	int r;

	*ret_end = false;
	next.epoch = column_int_or(q, COLUMN_EPOCH, 0);
	if (row_id == walk->at.row_id && next.epoch <= walk->at.epoch)
		return 0; // where the last step ended
	--*left;
	if (row_id != walk->at.row_id) {
		next.row_id = row_id;
		next.row_number++;
	}
	*ret_end = next.row_number > walk->run->total_cases;
	if (*ret_end)
		return 0;
	if (!column_null(q, COLUMN_RESPONSE) && column_int(q, COLUMN_LETS_THROUGH)) {
		struct response_place before = walk->at;

		next.id = column_int(q, COLUMN_RESPONSE);
		walk->at = next;
		r = walk->found(walk, next.id);
		if (r != 0)
			walk->at = before;
		return r;
	}
	walk->at = next;
	return 0;
}

static int walk_batch(struct response_walk *walk, int64_t batch_id, size_t *left, bool *ret_end)
{
	QUERY q = NULL;
	int r;

	*ret_end = false;
	r = db_query(walk->tx->db, &q,
		     "SELECT v.id, r.id, r.epoch," LETS_THROUGH " FROM template_variables v"
		     " LEFT JOIN responses r ON r.template_variables_id = v.id"
		     " AND r.run_id = ?1 WHERE v.batch_id = ?7 AND v.id >= ?8"
		     " ORDER BY v.id, r.epoch",
		     LETS_THROUGH_FORMAT "ii", LETS_THROUGH_VALUES(walk), batch_id, walk->at.row_id);
	while (r >= 0 && !*ret_end) {
		if (*left == 0)
			return RESPONSE_WALK_MORE;
		r = db_next(walk->tx->db, q);
		if (r <= 0)
			return r;
		r = look(walk, q, left, ret_end);
		if (r > 0)
			return RESPONSE_WALK_STOPPED;
	}
	return r;
}

static int step_by_row(struct response_walk *walk)
{
	const struct run_row *run = walk->run;
	int64_t sequence = walk->at.sequence, batch_id;
	size_t left = LOOKS_MAX;
	bool end;
	int r;

	if (sequence <= run->first_sequence)
		sequence = run->first_sequence + 1;
	while ((r = rows_next_batch(walk->tx, run->collection_id, run->last_sequence, &sequence,
				    &batch_id)) > 0) {
		if (sequence != walk->at.sequence) {
			walk->at.row_id = walk->at.epoch = 0;
			walk->at.sequence = sequence;
		}
		r = walk_batch(walk, batch_id, &left, &end);
		if (r != 0 || end)
			return r;
		sequence++;
	}
	return r;
}

/* ---- By arrival ---- */

static int step_by_arrival(struct response_walk *walk)
{
	size_t n_looks = 0;
	QUERY q = NULL;
	int r;

	r = db_query(walk->tx->db, &q,
		     "SELECT 0, r.id, r.epoch," LETS_THROUGH " FROM responses r"
		     " WHERE r.run_id = ?1 AND r.id > ?7 ORDER BY r.id LIMIT ?8",
		     LETS_THROUGH_FORMAT "ib", LETS_THROUGH_VALUES(walk), walk->at.id, LOOKS_MAX);
	while (r >= 0 && (r = db_next(walk->tx->db, q)) > 0) {
		int64_t id = column_int(q, COLUMN_RESPONSE);

		n_looks++;
		r = column_int(q, COLUMN_LETS_THROUGH) ? walk->found(walk, id) : 0;
		if (r != 0)
			return r < 0 ? r : RESPONSE_WALK_STOPPED;
		walk->at.id = id;
	}
	return r < 0 ? r : n_looks == LOOKS_MAX ? RESPONSE_WALK_MORE : RESPONSE_WALK_END;
}

int response_walk_step(struct response_walk *walk)
{
	static const struct response_filter all = { 0 };

	if (!walk->filter)
		walk->filter = &all;
	return walk->by_arrival ? step_by_arrival(walk) : step_by_row(walk);
}

/* ---- Places ---- */

int response_place_read(struct tx *tx, const struct run_row *run, int64_t response_id,
			int64_t row_number, struct response_place *ret_place)
{
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT b.sequence, v.id, r.epoch FROM responses r"
				 " CROSS JOIN template_variables v ON v.id = r.template_variables_id"
				 " CROSS JOIN row_batches b ON b.id = v.batch_id"
				 " WHERE r.id = ?1 AND r.run_id = ?2 AND b.sequence IS NOT NULL",
		     "ii", response_id, run->id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r <= 0)
		return r < 0 ? r : fault_invalid(tx->fault, "cursor", PAGE_CURSOR_EXPECTED);
	*ret_place = (struct response_place){
		.sequence = column_int(q, 0),
		.row_id = column_int(q, 1),
		.row_number = row_number,
		.epoch = column_int(q, 2),
		.id = response_id,
	};
	return 0;
}
