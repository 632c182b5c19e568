#include "daemon/store/runs/responses/response_blocks.h"

#include "daemon/store/runs/responses/response.h"

#define FEW_BLOCKS(n) ((n) / 16 + 2)

/* ---- Making ---- */

#define IS_FAILED "(r.error IS NOT NULL)"
#define IS_ANNOTATED "(r.annotation IS NOT NULL)"
#define IS_EDITED                                                                               \
	"EXISTS (SELECT 1 FROM ratings p WHERE p.response_id = r.id AND p.judge_id IS NULL)"

int response_block_make(struct db *db, int64_t run_id, int64_t after, int64_t last)
{
	return db_run(db, "INSERT INTO response_blocks (run_id, block, after, owner_uid, min_epoch, max_epoch,"
			  " min_failed, max_failed, min_annotated, max_annotated, min_duration, max_duration,"
			  " min_input, max_input, min_output, max_output, max_edited) SELECT ?1, ?3, ?2,"
			  " max(r.owner_uid), min(r.epoch), max(r.epoch), min(" IS_FAILED "), max(" IS_FAILED "),"
			  " min(" IS_ANNOTATED "), max(" IS_ANNOTATED "), min(r.duration_usec),"
			  " max(r.duration_usec), min(r.input_tokens), max(r.input_tokens),"
			  " min(r.output_tokens), max(r.output_tokens), max(" IS_EDITED ") FROM responses r"
			  " WHERE r.run_id = ?1 AND r.id > ?2 AND r.id <= ?3", "iii", run_id, after, last);
}

/* An amount that is not known leaves them as they are. */
#define WIDEN(what, value)                                                                      \
	" min_" what " = coalesce(min(min_" what ", " value "), min_" what ", " value "),"      \
	" max_" what " = coalesce(max(max_" what ", " value "), max_" what ", " value "),"

int response_block_widen(struct db *db, int64_t response_id)
{
	return db_run(db, "UPDATE response_blocks SET"
			  WIDEN("failed", IS_FAILED) WIDEN("annotated", IS_ANNOTATED)
			  WIDEN("duration", "r.duration_usec") WIDEN("input", "r.input_tokens")
			  WIDEN("output", "r.output_tokens") " max_edited = max(max_edited, " IS_EDITED ")"
			  " FROM responses r WHERE r.id = ?1 AND response_blocks.run_id = r.run_id"
			  " AND response_blocks.block = (SELECT min(b.block) FROM response_blocks b"
			  "  WHERE b.run_id = r.run_id AND b.block >= r.id)", "i", response_id);
}

int response_block_last(struct db *db, int64_t run_id, int64_t *ret_block)
{
	*ret_block = 0;
	return db_int(db, ret_block, "SELECT max(block) FROM response_blocks WHERE run_id = ?1", "i", run_id);
}

int response_blocks_delete(struct db *db, int64_t run_id, int64_t last)
{
	return db_run(db, "DELETE FROM response_blocks WHERE run_id = ?1 AND block <= ?2", "ii", run_id, last);
}

/* ---- Looking ---- */

/* ?1 run, then the filter's members that it knows of. */
#define MAY_LET_THROUGH                                                                         \
	" FROM response_blocks b WHERE b.run_id = ?1"                                           \
	" AND (?2 IS NULL OR ?2 BETWEEN b.min_epoch AND b.max_epoch)"                           \
	" AND (?3 IS NULL OR ?3 BETWEEN b.min_failed AND b.max_failed)"                         \
	" AND (?4 IS NULL OR ?4 BETWEEN b.min_annotated AND b.max_annotated)"                   \
	" AND (?5 IS NULL OR b.max_duration >= ?5) AND (?6 IS NULL OR b.min_duration <= ?6)"    \
	" AND (?7 IS NULL OR b.max_input >= ?7) AND (?8 IS NULL OR b.min_input <= ?8)"          \
	" AND (?9 IS NULL OR b.max_output >= ?9) AND (?10 IS NULL OR b.min_output <= ?10)"      \
	" AND (?11 IS NULL OR ?11 <= b.max_edited)"
#define MAY_LET_THROUGH_FORMAT "iIIIIIIIIII"
#define MAY_LET_THROUGH_VALUES(run_id, filter)                                                  \
	run_id, (filter)->epoch, (filter)->failed, (filter)->annotated, (filter)->min_duration, \
		(filter)->max_duration, (filter)->min_input_tokens, (filter)->max_input_tokens, \
		(filter)->min_output_tokens, (filter)->max_output_tokens, (filter)->overruled

/* It asks for something that a block may have none of. */
static bool narrows(const struct response_filter *filter)
{
	return filter->epoch || filter->failed || filter->annotated || filter->min_duration ||
	       filter->max_duration || filter->min_input_tokens || filter->max_input_tokens ||
	       filter->min_output_tokens || filter->max_output_tokens || filter->overruled;
}

int response_block_find(struct tx *tx, int64_t run_id, const struct response_filter *filter,
			int64_t behind, int64_t *ret_after, int64_t *ret_block)
{
	QUERY q = NULL;
	int r = db_row(tx->db, &q, "SELECT b.after, b.block" MAY_LET_THROUGH " AND b.block > ?12"
				   " ORDER BY b.block LIMIT 1",
		       MAY_LET_THROUGH_FORMAT "i", MAY_LET_THROUGH_VALUES(run_id, filter), behind);

	if (r > 0) {
		*ret_after = column_int(q, 0);
		*ret_block = column_int(q, 1);
	}
	return r;
}

int response_span_find(struct tx *tx, int64_t run_id, const struct response_filter *filter,
		       int64_t behind, struct response_span *ret_span)
{
	int64_t after = 0, last = INT64_MAX;
	int r = 0;

	if (narrows(filter)) {
		r = response_block_find(tx, run_id, filter, behind, &after, &last);
		if (r == 0)
			r = response_block_last(tx->db, run_id, &after);
	}
	*ret_span = (struct response_span){ .after = after > behind ? after : behind, .last = last };
	return r < 0 ? r : 0;
}

int response_spans_are_few(struct tx *tx, const struct run_row *run, const struct response_filter *filter)
{
	int64_t n_blocks = 0, n = 0, last, one;
	struct response_filter other = *filter;
	int r;

	/* Each row has a response of each epoch: by rows that is soon found. */
	if (filter->epoch && *filter->epoch <= run->n_epochs)
		other.epoch = NULL;
	if (!narrows(&other))
		return 0;
	r = db_int(tx->db, &n_blocks, "SELECT count(*) FROM response_blocks WHERE run_id = ?1", "i", run->id);
	if (r >= 0)
		r = db_int(tx->db, &n, "SELECT count(*)" MAY_LET_THROUGH, MAY_LET_THROUGH_FORMAT,
			   MAY_LET_THROUGH_VALUES(run->id, filter));
	if (r < 0 || n_blocks == 0 || n > FEW_BLOCKS(n_blocks))
		return r < 0 ? r : 0;
	r = response_block_last(tx->db, run->id, &last);
	if (r >= 0)
		r = db_int(tx->db, &one, "SELECT 1 FROM responses WHERE run_id = ?1 AND id > ?2"
					 " ORDER BY id LIMIT 1 OFFSET ?3", "iib", run->id, last, LOOKS_MAX);
	return r < 0 ? r : r == 0;
}
