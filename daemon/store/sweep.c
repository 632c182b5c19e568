/* SPDX-License-Identifier: MIT */
/*
 * A dead batch keeps its row without rows of its own: whoever goes on with that upload learns
 * that it is gone, and does not commit half of it.
 */
#include "daemon/store/sweep.h"

#define CHUNK_ROWS 2000
#define CHUNK_PAUSE_USEC 1000
#define TOMBSTONE_USEC (30 * SWEEP_UPLOAD_AGE_USEC)

static int sweep_rows(struct db *db, int64_t batch_id)
{
	return db_run(db, "DELETE FROM template_variables WHERE id IN"
			  " (SELECT id FROM template_variables WHERE batch_id = ?1 LIMIT ?2)",
		      "ib", batch_id, CHUNK_ROWS);
}

int sweep_step(struct db *db, int64_t now, int64_t *ret_next_usec)
{
	int64_t batch_id = 0, oldest = 0;
	int r;

	r = db_run(db, "UPDATE row_batches SET dead = 1"
		       " WHERE sequence IS NULL AND created_at < ?1 AND NOT dead",
		   "i", now - SWEEP_UPLOAD_AGE_USEC);
	if (r < 0)
		return r;
	r = db_int(db, &batch_id, "SELECT id FROM row_batches"
				  " WHERE sequence IS NULL AND dead AND row_count > 0 LIMIT 1", "");
	if (r < 0)
		return r;
	if (r > 0) {
		r = sweep_rows(db, batch_id);
		if (r >= 0 && r < CHUNK_ROWS)
			r = db_run(db, "UPDATE row_batches SET row_count = 0 WHERE id = ?1", "i",
				   batch_id);
		*ret_next_usec = CHUNK_PAUSE_USEC;
		return r < 0 ? r : 0;
	}
	r = db_run(db, "DELETE FROM row_batches WHERE sequence IS NULL AND dead AND created_at < ?1",
		   "i", now - TOMBSTONE_USEC);
	if (r < 0)
		return r;
	r = db_int(db, &oldest, "SELECT min(created_at) FROM row_batches"
				" WHERE sequence IS NULL AND NOT dead", "");
	if (r < 0)
		return r;
	*ret_next_usec = -1;
	if (r > 0)
		*ret_next_usec = oldest > now ? SWEEP_UPLOAD_AGE_USEC :
						oldest + SWEEP_UPLOAD_AGE_USEC - now + 1;
	return 0;
}
