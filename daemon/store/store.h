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
 * wait run in one transaction, a savepoint each, and are answered after the COMMIT), one reader
 * for points, one for lists and long scans. Operations of one lane run in the order posted, those
 * of callers in that of their user: users have turns, at the writer by the time that they take. A
 * scan is cut into short transactions, and others get their turn in between.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/loop.h"
#include "proto/arena.h"
#include "proto/fault.h"

struct store;
struct store_request;
struct tx; // what an operation works with; known to the store alone

enum store_lane {
	STORE_RECORD, // writer; may wait up to 2 ms for company; patient
	STORE_WRITE, // writer; never waits
	STORE_POINT, // reader for points
	STORE_SCAN, // reader for lists and long scans
};

struct store_request {
	struct message message;
	struct store *store; // set by the operation
	int (*run)(struct tx *tx, struct store_request *request); // set by the operation
	const char *name; // of the operation, for the log; set by it
	enum store_lane lane; // set by the operation
	bool again; // set by the operation: it goes on in another transaction, behind what waits
	bool patient; // set by the operation: it waits while the store is busy, or the disk full
	void *state; // the operation's own, in the arena, while it goes on; NULL at first
	int64_t steps; // of SQLite's machine, where statements are checked
	struct store_request *next; // writer::waiting, writer::batch, reader_queue::first

	int64_t uid; // whose it is, filled by the caller: users have turns; -1: the daemon's
	struct loop *reply_to; // filled by the caller
	void (*done)(struct store_request *request); // filled by the caller
	void *userdata; // the caller's own

	int result; // 0, or a negative ELLU_E_* code with `fault` filled
	struct fault fault;
	/* Numbers of the first and last event that it added to tasks' histories; 0: none. Answers of
	 * the writer come in the order of their numbers. */
	int64_t first_event;
	int64_t last_event;
	struct arena arena; // the answer; the caller may put its arguments there too

	/* Of a list: the page, encoded where it was read. The front's reply begins with it as it is
	 * (WIRE_REPLY_HEAD); who wants it takes it. */
	char *page;
	size_t page_size;
	const char *next_cursor; // NULL: it is the last
};

/* What keeps the store from writing. */
enum store_trouble {
	STORE_FINE,
	STORE_BUSY, // no memory, or another program has the file; tried again by itself
	STORE_FULL, // no room on the disk; the same
	STORE_DAMAGED, // the file cannot be trusted any more, and is only read
};

/* A sentence for people; NULL for STORE_FINE. */
const char *store_trouble_text(enum store_trouble trouble);

/* Whose rows an operation may see. */
struct scope {
	int64_t uid;
	bool all; // an administrator: everybody's; lists without a project show them all
	const char *project; // NULL: the caller's `default`; administrators name others' by id only
};

struct store_options {
	const char *state_dir; // made with mode 0700 when missing
	bool system; // a system daemon: references to keys are for administrators
	bool check_statements; // in any build: see statement_check.h
	struct loop *reply_to; // whose thread the callbacks are on
	/* Something keeps the store from writing, or nothing does any more. */
	void (*trouble)(void *userdata, enum store_trouble trouble);
	/* There are events up to `number`; those who added them have been answered. Or NULL. */
	void (*events_added)(void *userdata, int64_t number);
	/* Called inside store_open(), often, while it migrates and recovers; or NULL. */
	void (*migrating)(void *userdata);
	void *userdata;
};

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

/* The threads of the store, for the watchdog. Returns how many; at most STORE_LOOPS. */
#define STORE_LOOPS 3
unsigned store_loops(struct store *store, struct loop **ret_loops);

/* A number that no earlier run of the daemon on this state folder had; part of every claim. */
int64_t store_instance(const struct store *store);

void store_request_init(struct store_request *request, struct loop *reply_to,
			void (*done)(struct store_request *request), void *userdata);
void store_request_done(struct store_request *request);

/* ---- Users ---- */

/* Makes the user's project `default` and its config `simulated` if they are missing. A front
 * does this once a user before the user's first call. */
struct user_ensure {
	struct store_request request;
	int64_t uid;
};
void store_user_ensure(struct store *store, struct user_ensure *op);

/* ---- State of the store itself ---- */

const char *store_sqlite_version(void);

struct store_status {
	struct store_request request;
	const struct ellu_storage_status *ret_storage;
	int64_t ret_pending;
	int64_t ret_started;
};
void store_status_get(struct store *store, struct store_status *op);
