#include <inttypes.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/store/engine/store_internal.h"
#include "daemon/store/tasks/task.h"
#include "proto/text/plural.h"

/* The running time of a claim that ended with the daemon is what it can be shown to have been:
 * until its last recording, by the clock that no one sets.
 *
 * Whoever ran beside others is not to blame for the daemon's end, unless it was being tried; the
 * claim does not count against it, and from the second time on it is tried by itself. */
#define STRANDED                                                                                 \
	"UPDATE tasks SET status = 'PENDING', running_usec ="                                         \
	" running_usec + coalesce((SELECT max(recorded_monotonic) FROM run_epochs"                    \
	"  WHERE run_id = tasks.run_id) - claimed_monotonic, 0),"                                     \
	" idle_claims = idle_claims - (?2 AND suspect >= 0 AND idle_claims > 0),"                     \
	" suspect = CASE WHEN recorded_at_claim < " TASK_RECORDED " THEN 0 WHEN suspect < 0 THEN ?4"  \
	"  WHEN ?3 THEN suspect ELSE suspect + 1 END"                                                 \
	" WHERE id = ?1"

/* What ran when the daemon went down. */
struct stranded {
	int64_t n;
	int64_t tried; // the task that was being tried by itself; 0: none
};

static int find_stranded(struct tx *tx, struct stranded *stranded)
{
	int r = db_int(tx->db, &stranded->n, "SELECT count(*) FROM tasks WHERE finished_at IS NULL"
					     " AND status = 'STARTED'", "");

	if (r >= 0)
		r = db_int(tx->db, &stranded->tried,
			   "SELECT id FROM tasks WHERE finished_at IS NULL AND status = 'STARTED'"
			   " AND suspect < 0", "");
	return r;
}

static int tell_of_trial(struct tx *tx, int64_t id)
{
	log_about(LOG_WARNING, ABOUT(.task = id),
		  "store: the daemon went down while it tried task %" PRId64 " by itself", id);
	return task_event_add(tx, id, NULL,
			      "The daemon went down while this task was tried by itself.", NULL);
}

static int recover_tasks(struct tx *tx)
{
	struct stranded stranded = { 0 };
	int r = find_stranded(tx, &stranded);
	int64_t id = 0;

	while (r >= 0 && (r = db_int(tx->db, &id, "SELECT id FROM tasks WHERE finished_at IS NULL"
						  " AND status = 'STARTED' AND id > ?1"
						  " ORDER BY id LIMIT 1", "i", id)) > 0) {
		r = db_run(tx->db, STRANDED, "ibbb", id, stranded.n > 1,
			   stranded.n == 1 || stranded.tried, TASK_DEATHS_MAX);
		if (r >= 0)
			r = task_event_add(tx, id, "PENDING", NULL, NULL);
		if (r >= 0 && id == stranded.tried)
			r = tell_of_trial(tx, id);
	}
	if (r >= 0 && stranded.n > 0)
		log_about(LOG_NOTICE, ABOUT(.message = LOG_TASKS_RECOVERED),
			  "store: %" PRId64 " task%s ran when the daemon ended and will go on",
			  stranded.n, plural_s(stranded.n));
	return r;
}

/* Nobody waits any more for what was of the moment. */
static int fail_ephemeral(struct tx *tx, enum task_kind kind)
{
	struct fault fault = { 0 };
	const char *error;
	int64_t id;
	int r;

	fault_set(&fault, ELLU_E_SHUTTING_DOWN, "the daemon ended before the task did");
	r = tx_encode_fault(tx, &fault, &error);
	while (r >= 0 &&
	       (r = db_int(tx->db, &id, "UPDATE tasks SET status = 'FAILURE', hold = NULL, error = ?2,"
					" finished_at = ?3 WHERE id = (SELECT id FROM tasks WHERE kind = ?1"
					" AND finished_at IS NULL LIMIT 1) RETURNING id",
			   "ssi", task_kind_name(kind), error, tx->now)) > 0)
		r = task_event_add(tx, id, "FAILURE", NULL, NULL);
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
	for (int kind = 0; r >= 0 && kind < _TASK_KIND_MAX; kind++)
		if (task_kind_is_ephemeral((enum task_kind)kind))
			r = fail_ephemeral(&tx, (enum task_kind)kind);
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
