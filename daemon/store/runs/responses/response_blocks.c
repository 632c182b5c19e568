#include "daemon/store/runs/responses/response_blocks.h"

#include "daemon/store/engine/page.h"
#include "daemon/store/runs/responses/response_filter.h"
#include "daemon/store/runs/run.h"

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
	int r = db_run(db, "UPDATE response_blocks SET"
			  WIDEN("failed", IS_FAILED) WIDEN("annotated", IS_ANNOTATED)
			  WIDEN("duration", "r.duration_usec") WIDEN("input", "r.input_tokens")
			  WIDEN("output", "r.output_tokens") " max_edited = max(max_edited, " IS_EDITED ")"
			  " FROM responses r WHERE r.id = ?1 AND response_blocks.run_id = r.run_id"
			  " AND response_blocks.block = " BLOCK_OF_RESPONSE, "i", response_id);

	/* Whatever a judge said, either may stand now. */
	return r <= 0 ? r : db_run(db, "UPDATE response_verdicts SET rated = 1, yes = 1, no = 1 FROM responses r"
				       " CROSS JOIN ratings p ON p.response_id = r.id AND p.judge_id IS NULL"
				       " WHERE r.id = ?1 AND response_verdicts.run_id = r.run_id"
				       " AND response_verdicts.block = " BLOCK_OF_RESPONSE
				       " AND response_verdicts.measure_id = p.measure_id"
				       " AND NOT (response_verdicts.rated AND response_verdicts.yes"
				       "  AND response_verdicts.no)", "i", response_id);
}

/* ---- Verdicts ---- */

#define LOOKS_A_STEP (4 * RESPONSE_BLOCK) // at responses, a few milliseconds of the writer

static int make_verdicts(struct db *db, const struct response_verdict *of, int64_t after, int64_t last)
{
	return db_run(db, "INSERT INTO response_verdicts (run_id, block, measure_id, judge_id, owner_uid, rated,"
			  " yes, no) SELECT ?1, ?3, ?4, ?5, max(owner_uid), count(id) > 0,"
			  " coalesce(max(value) >= 0.5, 0), coalesce(min(value) < 0.5, 0) FROM"
			  " (SELECT r.owner_uid, g.id, " RATING_VALUE " value FROM responses r"
			  "  LEFT JOIN ratings g ON g.response_id = r.id AND g.measure_id = ?4 AND g.judge_id = ?5"
			  "  WHERE r.run_id = ?1 AND r.id > ?2 AND r.id <= ?3)", "iiiii", of->run_id, after, last,
		      of->measure_id, of->judge_id);
}

/* 1: a criterion by whose verdicts the block is not known. */
static int find_unknown(struct db *db, int64_t block, struct response_verdict *of)
{
	QUERY q = NULL;
	int r = db_row(db, &q, "SELECT e.measure_id, n.judge_id FROM runs n CROSS JOIN run_measures e"
			       " ON e.run_id = n.id CROSS JOIN measures m ON m.id = e.measure_id"
			       " AND m.criterion_id IS NOT NULL WHERE n.id = ?1 AND n.judge_id IS NOT NULL"
			       " AND NOT EXISTS (SELECT 1 FROM response_verdicts v WHERE v.run_id = n.id"
			       "  AND v.block = ?2 AND v.measure_id = e.measure_id AND v.judge_id = n.judge_id)"
			       " LIMIT 1", "ii", of->run_id, block);

	if (r > 0) {
		of->measure_id = column_int(q, 0);
		of->judge_id = column_int(q, 1);
	}
	return r;
}

/* 1: it has looked at enough for once. */
static int know_block(struct db *db, int64_t run_id, int64_t after, int64_t block, int *left)
{
	struct response_verdict of = { .run_id = run_id };
	int r = 1;

	while (*left > 0 && (r = find_unknown(db, block, &of)) > 0) {
		r = make_verdicts(db, &of, after, block);
		*left -= RESPONSE_BLOCK;
		if (r < 0)
			return r;
	}
	return r != 0 ? r : db_run(db, "UPDATE runs SET verdicts_block = ?2 WHERE id = ?1", "ii", run_id, block);
}

int response_block_verdicts(struct db *db, int64_t run_id)
{
	int left = LOOKS_A_STEP, r = 1;

	for (; r > 0 && left > 0; left -= 4) {
		int64_t after = 0, block = 0;
		QUERY q = NULL;

		r = db_row(db, &q, "SELECT b.after, b.block FROM runs n CROSS JOIN response_blocks b"
				   " ON b.run_id = n.id AND b.block > n.verdicts_block WHERE n.id = ?1"
				   " ORDER BY b.block LIMIT 1", "i", run_id);
		if (r <= 0)
			return r;
		after = column_int(q, 0);
		block = column_int(q, 1);
		r = know_block(db, run_id, after, block, &left);
	}
	return r < 0 ? r : 1;
}

/* Where a person has said something before, either may stand, whatever the judge says. */
#define MAY_STAND(said)                                                                         \
	"(" said " OR EXISTS (SELECT 1 FROM ratings p WHERE p.response_id = ?2 AND p.measure_id = ?3" \
	" AND p.judge_id IS NULL))"
#define MAY_BE_YES MAY_STAND("?5 >= 0.5")
#define MAY_BE_NO MAY_STAND("?5 >= 0 AND ?5 < 0.5")

int response_block_widen_verdict(struct db *db, const struct response_verdict *verdict)
{
	return db_run(db, "UPDATE response_verdicts SET rated = 1, yes = max(yes, " MAY_BE_YES "),"
			  " no = max(no, " MAY_BE_NO ") WHERE run_id = ?1 AND block ="
			  " (SELECT min(b.block) FROM response_blocks b WHERE b.run_id = ?1 AND b.block >= ?2)"
			  " AND measure_id = ?3 AND judge_id = ?4"
			  " AND (NOT rated OR yes < " MAY_BE_YES " OR no < " MAY_BE_NO ")", "iiiid",
		      verdict->run_id, verdict->response_id, verdict->measure_id, verdict->judge_id,
		      verdict->value);
}

/* ---- All of them ---- */

int response_block_last(struct db *db, int64_t run_id, int64_t *ret_block)
{
	*ret_block = 0;
	return db_int(db, ret_block, "SELECT max(block) FROM response_blocks WHERE run_id = ?1", "i", run_id);
}

int response_blocks_delete(struct db *db, int64_t run_id, int64_t last, int max)
{
	int r = db_run(db, "DELETE FROM response_verdicts WHERE (run_id, block, measure_id, judge_id) IN"
			   " (SELECT run_id, block, measure_id, judge_id FROM response_verdicts"
			   "  WHERE run_id = ?1 AND block <= ?2 LIMIT ?3)", "iib", run_id, last, max);

	if (r < 0 || r == max)
		return r < 0 ? r : 1;
	r = db_run(db, "DELETE FROM response_blocks WHERE run_id = ?1 AND block <= ?2", "ii", run_id, last);
	return r < 0 ? r : 0;
}

/* ---- Looking ---- */

/* Of ?1 and its judge ?14: ?13, or any. */
#define MAY_HAVE_VERDICT(by)                                                                    \
	" LEFT JOIN response_verdicts v ON v.run_id = ?1 AND v.block = b.block"                 \
	" AND v.measure_id = m.id AND v.judge_id = ?14 WHERE " by " AND (v.block IS NULL"       \
	"  OR CASE ?13 WHEN 1 THEN v.yes WHEN 0 THEN v.no ELSE v.rated END)"

/* ?1 run, then the filter's members that it knows of. */
#define MAY_LET_THROUGH                                                                         \
	" FROM response_blocks b WHERE b.run_id = ?1"                                           \
	" AND (?2 IS NULL OR ?2 BETWEEN b.min_epoch AND b.max_epoch)"                           \
	" AND (?3 IS NULL OR ?3 BETWEEN b.min_failed AND b.max_failed)"                         \
	" AND (?4 IS NULL OR ?4 BETWEEN b.min_annotated AND b.max_annotated)"                   \
	" AND (?5 IS NULL OR b.max_duration >= ?5) AND (?6 IS NULL OR b.min_duration <= ?6)"    \
	" AND (?7 IS NULL OR b.max_input >= ?7) AND (?8 IS NULL OR b.min_input <= ?8)"          \
	" AND (?9 IS NULL OR b.max_output >= ?9) AND (?10 IS NULL OR b.min_output <= ?10)"      \
	" AND (?11 IS NULL OR ?11 <= b.max_edited)"                                             \
	" AND (?12 IS NULL OR EXISTS (SELECT 1 FROM measures m CROSS JOIN run_measures e"       \
	"  ON e.run_id = ?1 AND e.measure_id = m.id" MAY_HAVE_VERDICT("m.criterion_id = ?12") "))" \
	" AND (?12 IS NOT NULL OR ?13 IS NULL OR EXISTS (SELECT 1 FROM run_measures e"          \
	"  CROSS JOIN measures m ON e.run_id = ?1 AND m.id = e.measure_id"                      \
	MAY_HAVE_VERDICT("m.criterion_id IS NOT NULL") "))"
#define MAY_LET_THROUGH_FORMAT "iIIIIIIIIIIIIi"
#define MAY_LET_THROUGH_VALUES(run, filter)                                                     \
	(run)->id, (filter)->epoch, (filter)->failed, (filter)->annotated, (filter)->min_duration, \
		(filter)->max_duration, (filter)->min_input_tokens, (filter)->max_input_tokens, \
		(filter)->min_output_tokens, (filter)->max_output_tokens, (filter)->overruled,  \
		(filter)->criterion_id, (filter)->value, (run)->judge_id

/* It asks for something that a block may have none of. */
static bool narrows(const struct response_filter *filter)
{
	return filter->epoch || filter->failed || filter->annotated || filter->min_duration ||
	       filter->max_duration || filter->min_input_tokens || filter->max_input_tokens ||
	       filter->min_output_tokens || filter->max_output_tokens || filter->overruled ||
	       filter->criterion_id || filter->value;
}

int response_block_find(struct tx *tx, const struct run_row *run, const struct response_filter *filter,
			int64_t behind, int64_t *ret_after, int64_t *ret_block)
{
	QUERY q = NULL;
	int r = db_row(tx->db, &q, "SELECT b.after, b.block" MAY_LET_THROUGH " AND b.block > ?15"
				   " ORDER BY b.block LIMIT 1",
		       MAY_LET_THROUGH_FORMAT "i", MAY_LET_THROUGH_VALUES(run, filter), behind);

	if (r > 0) {
		*ret_after = column_int(q, 0);
		*ret_block = column_int(q, 1);
	}
	return r;
}

int response_span_find(struct tx *tx, const struct run_row *run, const struct response_filter *filter,
		       int64_t behind, struct response_span *ret_span)
{
	int64_t after = 0, last = INT64_MAX;
	int r = 0;

	if (narrows(filter)) {
		r = response_block_find(tx, run, filter, behind, &after, &last);
		if (r == 0)
			r = response_block_last(tx->db, run->id, &after);
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
			   MAY_LET_THROUGH_VALUES(run, filter));
	if (r < 0 || n_blocks == 0 || n > FEW_BLOCKS(n_blocks))
		return r < 0 ? r : 0;
	r = response_block_last(tx->db, run->id, &last);
	if (r >= 0)
		r = db_int(tx->db, &one, "SELECT 1 FROM responses WHERE run_id = ?1 AND id > ?2"
					 " ORDER BY id LIMIT 1 OFFSET ?3", "iib", run->id, last, LOOKS_MAX);
	return r < 0 ? r : r == 0;
}
