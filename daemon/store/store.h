/*
 * The store: all durable state, in SQLite, behind named operations. No SQL and no sqlite3 type
 * leaves this folder.
 *
 * An operation is a struct whose first member is `struct store_request`. The caller fills it,
 * hands it over with the operation's function, and gets it back on `reply_to`'s thread through
 * `done`; until then it belongs to the store. Its answer lies in the request's arena and lives
 * as long as the request. Call store_request_done() before freeing it.
 *
 * Threads: one writer (the only connection that writes or checkpoints; group commit: all that
 * wait run in one transaction, in a savepoint each where there are several, and are answered after
 * the COMMIT), one reader for points, one for lists and long scans. Operations of one lane run in
 * the order posted, those of callers in that of their user: users have turns, at the writer by the
 * time that they take. A scan is cut into short transactions, and others get their turn in between.
 */
#pragma once

#include "daemon/store/engine/method.h"

/* Locks the state folder, opens, migrates and recovers the database (tasks that were STARTED
 * become PENDING, unfinished uploads and orphaned secrets are swept) and starts the threads.
 * Blocks: call it before the loops run. */
int store_open(const struct store_options *options, struct store **ret_store, struct fault *fault);

/* Answers what waits, then checkpoints and closes. Nothing may be posted after it. The loops
 * that get the answers must still run or have nothing outstanding. */
struct store *store_close(struct store *store);

/* From now on nothing waits for the store's trouble to go by: what is patient is refused, too. For
 * a stop whose time is over. */
void store_hurry(struct store *store);

/* A backup or a check of the whole database ends with ShuttingDown. For a stop, at its beginning. */
void store_leave_off(struct store *store);

/* Of a user, what is kept of answers to be given again. */
void store_set_cache_bytes(struct store *store, int64_t bytes);

/* The threads of the store, for the watchdog, without the one that may wait for a large file to be on
 * the disk. Returns how many; at most STORE_LOOPS. */
#define STORE_LOOPS 3
unsigned store_loops(struct store *store, struct loop **ret_loops);

/* ---- Users ---- */

/* Makes the user's project `default` and its config `simulated` if they are missing. A front
 * does this once a user before the user's first call. */
struct user_ensure {
	struct store_request request;
	int64_t uid;
};
void store_user_ensure(struct store *store, struct user_ensure *op);

/* ---- Methods ---- */

/* Whether the store has an operation for that method. */
bool store_runs_method(const struct method *method);
/* What takes long to find out of a request that came in, without the database and so by any thread,
 * for its operation. Lies in the arena. NULL: nothing. */
const void *store_method_digest(const struct method *method, const void *request, struct arena *arena);
void store_method_run(struct store *store, struct method_run *op);

/* ---- State of the store itself ---- */

const char *store_sqlite_version(void);

struct status_get {
	struct store_request request;
	const struct ellu_storage_status *ret_storage;
	const struct ellu_response_cache_status *ret_response_cache; // the caller's
	int64_t ret_pending;
	int64_t ret_started;
};
void store_status_get(struct store *store, struct status_get *op);
