#include "daemon/store/runs/responses/experiment_sweep.h"

#include <errno.h>

#include "daemon/base/clock.h"
#include "daemon/store/engine/statement.h"
#include "daemon/store/runs/responses/response_blocks.h"
#include "daemon/store/runs/responses/response_order.h"

#define CHUNK 500 // responses that one step looks at
#define CHUNK_ROWS 500 // that one step changes of responses, and of what one of them has
#define CHUNK_USEC 10000 // texts may be long: it ends after so much time as well
#define LISTS_MAX 8 // of responses, in other tasks, that one step compares with; of more, all stay

/* Of an experiment that was deleted. */
struct dying {
	struct db *db;
	int64_t id;
	int64_t run_id;
	int64_t swept_id; // responses up to this were looked at
	int64_t kept_id; // those up to this are kept
};

/* The newest response and that of the newest rating keep their rows: an id would come again. */
#define IS_LAST(id)                                                                             \
	id " IN ((SELECT max(id) FROM responses),"                                              \
	   " (SELECT response_id FROM ratings WHERE id = (SELECT max(id) FROM ratings)))"

/* 1: something of it can go now. What earlier experiments have is kept for who takes it over later. */
static int has_work(struct dying *dying, int64_t after, struct dying *ret_dying)
{
	QUERY q = NULL;
	int r;

	r = db_row(dying->db, &q,
		   "SELECT e.id, e.run_id, e.swept_response_id, EXISTS (SELECT 1 FROM experiments b"
		   "  WHERE b.source_experiment_id = e.id AND b.deleted_at IS NULL)"
		   " OR coalesce((SELECT " IS_LAST("r.id") " AND r.response_text IS NULL"
		   "  AND r.tool_calls IS NULL AND NOT EXISTS (SELECT 1 FROM response_verdicts v"
		   "   WHERE v.run_id = e.run_id AND v.block <= e.swept_response_id)"
		   "  FROM responses r WHERE r.run_id = e.run_id"
		   "  AND r.id > e.swept_response_id ORDER BY r.id LIMIT 1), 0)"
		   " FROM experiments e INDEXED BY experiments_dying WHERE e.swept_response_id IS NOT NULL AND e.id > ?1"
		   " ORDER BY e.id LIMIT 1", "i", after);
	if (r <= 0)
		return r;
	*ret_dying = (struct dying){
		.db = dying->db,
		.id = column_int(q, 0),
		.run_id = column_int(q, 1),
		.swept_id = column_int(q, 2),
	};
	return column_int(q, 3) ? 2 : 1;
}

/* Ratings that are the results of other tasks stay, and so do their responses. */
static int find_kept(struct dying *dying)
{
	int64_t n_lists = 0;
	int r;

	r = db_int(dying->db, &dying->kept_id, "SELECT max(last_response_id) FROM runs"
					       " WHERE source_run_id = ?1 AND NOT adopted", "i",
		   dying->run_id);
	if (r >= 0)
		r = db_int(dying->db, &n_lists, "SELECT count(*) FROM listed_runs"
						" WHERE source_run_id = ?1", "i", dying->run_id);
	if (n_lists > LISTS_MAX)
		dying->kept_id = INT64_MAX;
	return r;
}

/* Its texts are gone, at least. 1: not yet all of them. */
static int empty(struct db *db, int64_t response_id)
{
	int r;

	r = db_run(db, "UPDATE ratings SET reasoning = NULL, raw_text = NULL WHERE id IN (SELECT id FROM ratings"
		       " WHERE response_id = ?1 AND (reasoning IS NOT NULL OR raw_text IS NOT NULL) LIMIT ?2)",
		   "ib", response_id, CHUNK_ROWS);
	if (r < 0 || r == CHUNK_ROWS)
		return r < 0 ? r : 1;
	r = db_run(db, "UPDATE responses SET response_text = NULL, tool_calls = NULL, annotation = NULL"
		       " WHERE id = ?1", "i", response_id);
	return r < 0 ? r : 0;
}

/* 1: it has more ratings than go at once. */
static int discard(struct db *db, int64_t response_id)
{
	int r = db_run(db, "DELETE FROM ratings WHERE id IN (SELECT id FROM ratings WHERE response_id = ?1 LIMIT ?2)",
		       "ib", response_id, CHUNK_ROWS);

	if (r < 0 || r == CHUNK_ROWS)
		return r < 0 ? r : 1;
	r = db_run(db, "DELETE FROM responses WHERE id = ?1", "i", response_id);
	return r < 0 ? r : 0;
}

/* Nothing of it is left: the rows that it was pinned to may go, if nobody else is. */
static int unpin(struct dying *dying)
{
	int64_t one;
	int r;

	r = db_int(dying->db, &one, "SELECT 1 FROM responses WHERE run_id = ?1 LIMIT 1", "i",
		   dying->run_id);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(dying->db, "UPDATE collections SET swept_sequence = min(swept_sequence, n.first_sequence)"
			      " FROM runs n WHERE n.id = ?1 AND collections.id = n.collection_id", "i",
		   dying->run_id);
	return r < 0 ? r : db_run(dying->db, "UPDATE runs SET first_sequence = last_sequence,"
					     " column_defaults = NULL WHERE id = ?1", "i", dying->run_id);
}

static int end(struct dying *dying)
{
	int r = response_blocks_delete(dying->db, dying->run_id, dying->swept_id, CHUNK_ROWS);

	if (r != 0)
		return r;
	r = unpin(dying);
	return r < 0 ? r : db_run(dying->db, "UPDATE experiments SET swept_response_id = NULL,"
					     " results = NULL WHERE id = ?1", "i", dying->id);
}

/* The next responses that there are, and what becomes of them. */
struct chunk {
	int64_t ids[CHUNK];
	char fates[CHUNK]; // 0: it goes; 1: it is the last; 2: it stays
	size_t n;
};

static int read_chunk(struct dying *dying, struct chunk *chunk)
{
	QUERY q = NULL;
	int r;

	r = db_query(dying->db, &q,
		     "SELECT r.id, iif(r.id <= ?3 OR r.id IN (SELECT i.value FROM listed_runs l"
		     "  CROSS JOIN runs n ON n.id = l.run_id CROSS JOIN json_each(n.response_ids) i"
		     "  WHERE l.source_run_id = ?1), 2, " IS_LAST("r.id") ") FROM responses r"
		     " WHERE r.run_id = ?1 AND r.id > ?2 ORDER BY r.id LIMIT ?4",
		     "iiib", dying->run_id, dying->swept_id, dying->kept_id, CHUNK);
	while (r >= 0 && (r = db_next(dying->db, q)) > 0) {
		chunk->ids[chunk->n] = column_int(q, 0);
		chunk->fates[chunk->n++] = (char)column_int(q, 1);
	}
	return r;
}

/* The last waits, without its texts, for one that is newer. */
static int sweep_chunk(struct dying *dying, const struct chunk *chunk)
{
	int64_t until = clock_monotonic_usec() + CHUNK_USEC, rows = db_rows_changed(dying->db);
	int r = 0;

	for (size_t i = 0; i < chunk->n && clock_monotonic_usec() < until &&
			   db_rows_changed(dying->db) - rows < CHUNK_ROWS; i++) {
		r = response_order_take(dying->db, chunk->ids[i]);
		if (r >= 0)
			r = chunk->fates[i] == 1 ? empty(dying->db, chunk->ids[i]) :
			    chunk->fates[i] == 0 ? discard(dying->db, chunk->ids[i]) : 0;
		if (r != 0 || chunk->fates[i] == 1)
			break;
		dying->swept_id = chunk->ids[i];
	}
	if (r >= 0)
		r = response_blocks_delete(dying->db, dying->run_id, dying->swept_id, CHUNK_ROWS);
	return r < 0 ? r : db_run(dying->db, "UPDATE experiments SET swept_response_id = ?2 WHERE id = ?1",
				  "ii", dying->id, dying->swept_id);
}

int experiments_sweep(struct db *db)
{
	struct dying dying = { .db = db };
	struct chunk chunk = { .n = 0 };
	int r;

	do
		r = has_work(&dying, dying.id, &dying);
	while (r > 1);
	if (r <= 0)
		return r;
	r = find_kept(&dying);
	if (r >= 0)
		r = read_chunk(&dying, &chunk);
	if (r >= 0)
		r = chunk.n > 0 ? sweep_chunk(&dying, &chunk) : end(&dying);
	return r < 0 ? r : 1;
}
