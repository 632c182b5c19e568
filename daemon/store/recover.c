#include "daemon/store/recover.h"

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/store/task.h"

/* The running time of a claim that ended with the daemon is what it can be shown to have been:
 * until its last recording, by the clock that no one sets. */
#define STRANDED                                                                                 \
	"UPDATE tasks SET status = 'PENDING', running_usec ="                                         \
	" running_usec + coalesce(iif(rating_run_id IS NULL,"                                         \
	"  (SELECT max(recorded_monotonic) FROM experiment_epochs"                                    \
	"   WHERE experiment_id = tasks.experiment_id),"                                              \
	"  (SELECT recorded_monotonic FROM rating_runs WHERE id = tasks.rating_run_id))"              \
	"  - claimed_monotonic, 0)"                                                                   \
	" WHERE id = ?1"

static int recover_tasks(struct tx *tx)
{
	int64_t id;
	int r, n = 0;

	while ((r = db_int(tx->db, &id, "SELECT id FROM tasks WHERE status = 'STARTED' LIMIT 1",
			   "")) > 0) {
		r = db_run(tx->db, STRANDED, "i", id);
		if (r >= 0)
			r = task_event_add(tx, id, "PENDING", NULL, NULL);
		if (r < 0)
			return r;
		n++;
	}
	if (n > 0)
		log_about(LOG_NOTICE, ABOUT(.message = LOG_TASKS_RECOVERED),
			  "store: %d task%s ran when the daemon ended and will go on", n,
			  n == 1 ? "" : "s");
	return r;
}

static int is_used(void *userdata, const char *name)
{
	int64_t one;

	return db_int(userdata, &one, "SELECT 1 FROM llm_configs WHERE secret = ?1", "s", name);
}

int recover(struct store *store, struct db *db)
{
	struct tx tx = { .store = store, .db = db, .now = clock_wall_usec() };
	struct fault fault;
	struct arena arena;
	int r;

	arena_init(&arena);
	tx.arena = &arena;
	tx.fault = &fault;

	r = db_run(db, "BEGIN IMMEDIATE", "");
	if (r >= 0)
		r = db_run(db, "UPDATE daemon SET instance = instance + 1", "");
	if (r >= 0)
		r = db_int(db, &store->instance, "SELECT instance FROM daemon", "");
	if (r >= 0)
		r = event_number_last(db, &store->writer.event_number);
	if (r >= 0)
		r = recover_tasks(&tx);
	arena_done(&arena);
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
