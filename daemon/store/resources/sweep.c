/*
 * Batches die in two ways. An upload that was not finished in time keeps its row without rows of
 * its own: whoever goes on with it learns that it is gone, and does not commit half of it. A
 * batch that was cleared, and that no run is pinned to, goes altogether. Their rows go in
 * chunks, with what waits for the writer in between.
 */
#include "daemon/store/resources/sweep.h"

#include "daemon/base/clock.h"

#define CHUNK_ROWS 1000
#define CHUNK_BATCHES 200
#define CHUNK_ANSWERS 20 // each may be large
#define TOMBSTONE_USEC (30 * SWEEP_UPLOAD_AGE_USEC)

/* 1: there are cleared batches that nobody has looked at. */
static int find_cleared(struct db *db, int64_t *ret_collection_id, int64_t *ret_swept,
			int64_t *ret_first)
{
	QUERY q = NULL;
	int r;

	r = db_row(db, &q, "SELECT id, swept_sequence, first_sequence FROM collections"
			   " WHERE swept_sequence < first_sequence LIMIT 1", "");
	if (r <= 0)
		return r;
	*ret_collection_id = column_int(q, 0);
	*ret_swept = column_int(q, 1);
	*ret_first = column_int(q, 2);
	return 1;
}

/* What a run is pinned to stays for as long as that run. */
static int kill_cleared(struct db *db, int64_t collection_id, int64_t after, int64_t up_to)
{
	return db_run(db, "UPDATE row_batches SET dead = 1, sequence = NULL, upload_id = NULL"
			  " WHERE collection_id = ?1 AND sequence > ?2 AND sequence <= ?3 AND NOT EXISTS"
			  " (SELECT 1 FROM runs n WHERE n.collection_id = ?1"
			  "  AND n.last_sequence >= row_batches.sequence"
			  "  AND n.first_sequence < row_batches.sequence)",
		      "iii", collection_id, after, up_to);
}

/* 1: there was something to look at. Every sequence is a batch's, or was. */
static int sweep_cleared(struct db *db)
{
	int64_t collection_id, swept, first;
	int r;

	r = find_cleared(db, &collection_id, &swept, &first);
	if (r <= 0)
		return r;
	if (first > swept + CHUNK_BATCHES)
		first = swept + CHUNK_BATCHES;
	r = kill_cleared(db, collection_id, swept, first);
	if (r >= 0)
		r = db_run(db, "UPDATE collections SET swept_sequence = ?2 WHERE id = ?1", "ii",
			   collection_id, first);
	return r < 0 ? r : 1;
}

static int bury(struct db *db, int64_t batch_id)
{
	int r;

	r = db_run(db, "DELETE FROM row_batches WHERE id = ?1 AND upload_id IS NULL", "i", batch_id);
	if (r == 0)
		r = db_run(db, "UPDATE row_batches SET row_count = 0 WHERE id = ?1", "i", batch_id);
	return r;
}

/* 1: there was a dead batch with rows. */
static int sweep_dead(struct db *db)
{
	int64_t batch_id = 0;
	int r;

	r = db_int(db, &batch_id, "SELECT id FROM row_batches WHERE dead AND row_count > 0 LIMIT 1", "");
	if (r <= 0)
		return r;
	r = db_run(db, "DELETE FROM template_variables WHERE id IN"
		       " (SELECT id FROM template_variables WHERE batch_id = ?1 LIMIT ?2)",
		   "ib", batch_id, CHUNK_ROWS);
	if (r >= 0 && r < CHUNK_ROWS)
		r = bury(db, batch_id);
	return r < 0 ? r : 1;
}

/* ---- Deleted projects ---- */

#define HIDE(table, and)                                                                         \
	"UPDATE " table " SET deleted_at = ?2" and " WHERE id IN (SELECT id FROM " table             \
	" WHERE project_id = ?1 AND deleted_at IS NULL LIMIT ?3)"

/* How many there were. */
static int sweep_configs(struct db *db, struct secret_changes *secrets, int64_t project_id, int64_t now)
{
	int64_t last = 0;
	QUERY q = NULL;
	int r, n = 0;

	r = db_query(db, &q, "SELECT id, secret FROM llm_configs WHERE project_id = ?1"
			     " AND deleted_at IS NULL ORDER BY id LIMIT ?2", "ib", project_id,
		     CHUNK_BATCHES);
	while (r >= 0 && (r = db_next(db, q)) > 0) {
		last = column_int(q, 0);
		r = secrets_forget(secrets, column_peek(q, 1));
		n++;
	}
	if (r >= 0)
		r = db_run(db, "UPDATE llm_configs SET deleted_at = ?2, secret = NULL"
			       " WHERE project_id = ?1 AND deleted_at IS NULL AND id <= ?3",
			   "iii", project_id, now, last);
	return r < 0 ? r : n;
}

/* Rows are swept like cleared ones. */
int sweep_project(struct db *db, struct secret_changes *secrets, int64_t project_id, int64_t now)
{
	static const char *const hide[] = {
		HIDE("collections", ", first_sequence = last_sequence, variables_count = 0,"
				    " rows_identity = ''"),
		HIDE("criterion_sets", ""),
		HIDE("prompt_templates", ""),
		HIDE("evaluators", ""),
		HIDE("skills", ""),
		HIDE("evaluator_sets", ""),
		HIDE("experiments", ", swept_response_id = 0"),
	};
	int r = sweep_configs(db, secrets, project_id, now);

	for (size_t i = 0; r == 0 && i < sizeof(hide) / sizeof(*hide); i++)
		r = db_run(db, hide[i], "iib", project_id, now, CHUNK_BATCHES);
	if (r == 0)
		r = db_run(db, "DELETE FROM cached_answers WHERE id IN (SELECT id FROM cached_answers"
			       " WHERE project_id = ?1 LIMIT ?2)", "ib", project_id, CHUNK_ANSWERS);
	if (r == 0)
		r = db_run(db, "DELETE FROM answer_caches WHERE project_id = ?1 AND owner_uid ="
			       " (SELECT owner_uid FROM projects WHERE id = ?1)", "i", project_id);
	if (r != 0)
		return r < 0 ? r : 1;
	r = db_run(db, "UPDATE projects SET emptied = 1 WHERE id = ?1", "i", project_id);
	return r < 0 ? r : 0;
}

/* 1: there was a project with something in it. */
static int sweep_projects(struct db *db, struct secret_changes *secrets, int64_t now)
{
	int64_t id;
	int r = db_int(db, &id, "SELECT id FROM projects WHERE deleted_at IS NOT NULL AND NOT emptied"
				" LIMIT 1", "");

	if (r > 0)
		r = sweep_project(db, secrets, id, now);
	return r < 0 ? r : r > 0;
}

/* When the oldest upload that is still open will be too old; -1: there is none. */
static int next_due(struct db *db, int64_t now, int64_t *ret_usec)
{
	int64_t oldest = 0;
	int r;

	r = db_int(db, &oldest, "SELECT min(created_at) FROM row_batches"
				" WHERE sequence IS NULL AND NOT dead", "");
	if (r < 0)
		return r;
	*ret_usec = -1;
	if (r > 0)
		*ret_usec = oldest > now ? SWEEP_UPLOAD_AGE_USEC :
					   oldest + SWEEP_UPLOAD_AGE_USEC - now + 1;
	return 0;
}

/* How many uploads were given up. */
static int give_up(struct db *db, int64_t now)
{
	return db_run(db, "UPDATE row_batches SET dead = 1 WHERE id IN (SELECT id FROM row_batches"
			  " WHERE sequence IS NULL AND created_at < ?1 AND NOT dead LIMIT ?2)",
		      "ib", now - SWEEP_UPLOAD_AGE_USEC, CHUNK_BATCHES);
}

/* How many, that nobody goes on with any more, were forgotten. */
static int forget(struct db *db, int64_t now)
{
	return db_run(db, "DELETE FROM row_batches WHERE id IN (SELECT id FROM row_batches"
			  " WHERE sequence IS NULL AND dead AND created_at < ?1 LIMIT ?2)",
		      "ib", now - TOMBSTONE_USEC, CHUNK_BATCHES);
}

int sweep_step(struct db *db, struct secret_changes *secrets, int64_t now, int64_t *ret_next_usec)
{
	int r = give_up(db, now);

	if (r >= 0 && r < CHUNK_BATCHES)
		r = sweep_projects(db, secrets, now);
	if (r == 0)
		r = sweep_cleared(db);
	if (r == 0)
		r = sweep_dead(db);
	if (r == 0 && (r = forget(db, now)) < CHUNK_BATCHES)
		return r < 0 ? r : next_due(db, now, ret_next_usec);
	*ret_next_usec = SWEEP_PAUSE_USEC;
	return r < 0 ? r : 0;
}
