/* SPDX-License-Identifier: MIT */
#include "daemon/store/recover.h"

#include "daemon/clock.h"
#include "daemon/log.h"

/* The running time of a claim that ended with the daemon is what it can be shown to have been:
 * until its last recording. */
#define STRANDED                                                                                 \
	"UPDATE tasks SET status = 'PENDING', hold = NULL, sequence = sequence + 1, running_usec ="   \
	" running_usec + max(0, -claimed_at + max(claimed_at,"                                        \
	"  coalesce((SELECT created_at FROM responses WHERE experiment_id = tasks.experiment_id"      \
	"   ORDER BY id DESC LIMIT 1), 0),"                                                           \
	"  coalesce((SELECT created_at FROM ratings WHERE experiment_id = tasks.experiment_id"        \
	"   ORDER BY id DESC LIMIT 1), 0)))"                                                          \
	" WHERE status = 'STARTED'"

static int recover_tasks(struct db *db, int64_t now)
{
	int r;

	r = db_run(db, "INSERT INTO task_events (task_id, sequence, owner_uid, project_id, at, status)"
		       " SELECT id, sequence + 1, owner_uid, project_id, ?1, 'PENDING' FROM tasks"
		       " WHERE status = 'STARTED'", "i", now);
	if (r < 0)
		return r;
	if (r > 0)
		log_notice("store: %d task%s ran when the daemon ended and will go on", r,
			   r == 1 ? "" : "s");
	return db_run(db, STRANDED, "");
}

static int is_used(void *userdata, const char *name)
{
	int64_t one;

	return db_int(userdata, &one, "SELECT 1 FROM llm_configs WHERE secret = ?1", "s", name);
}

int recover(struct store *store, struct db *db)
{
	int r;

	r = db_run(db, "BEGIN IMMEDIATE", "");
	if (r >= 0)
		r = db_run(db, "UPDATE daemon SET instance = instance + 1", "");
	if (r >= 0)
		r = db_int(db, &store->instance, "SELECT instance FROM daemon", "");
	if (r >= 0)
		r = recover_tasks(db, clock_wall_usec());
	/* Nobody can tell any more which of their calls were taken; the rows go later, in chunks. */
	if (r >= 0)
		r = db_run(db, "UPDATE row_batches SET dead = 1 WHERE sequence IS NULL AND NOT dead", "");
	if (r >= 0)
		r = db_run(db, "COMMIT", "");
	if (r < 0) {
		if (!sqlite3_get_autocommit(db->handle))
			(void)db_script(db, "ROLLBACK");
		return r;
	}
	return secrets_sweep(&store->secrets, is_used, db);
}
