/*
 * What the store's threads are asked for: a request says on which of them its operation runs, and
 * carries what came of it. And what the store as a whole is told when it opens, and tells.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/loop.h"
#include "proto/arena.h"
#include "proto/fault/fault.h"

struct store;
struct method_page;
struct spent;
struct store_request;
struct tx; // what an operation works with; known to the store alone

enum store_lane {
	STORE_RECORD, // writer; may wait up to 2 ms for company; patient
	STORE_WRITE, // writer; never waits
	STORE_POINT, // reader for points
	STORE_SCAN, // reader for lists and long scans
	STORE_KEEP, // reader for what takes minutes, and files beside the database
	STORE_COPY, // writer, between its transactions: one request at a time, a step a turn
};

struct store_request {
	struct message message;
	struct store *store; // set by the operation
	int (*run)(struct tx *tx, struct store_request *request); // set by the operation
	const char *name; // of the operation, for the log; set by it
	enum store_lane lane; // set by the operation
	bool again; // set by the operation: it goes on in another transaction, behind what waits
	bool begun; // of reader_queue::n_begun
	bool patient; // set by the operation: it waits while the store is busy, or the disk full
	struct spent *spent; // set by the operation: what it records was paid for; NULL: nothing
	void *state; // the operation's own, in the arena, while it goes on; NULL at first
	int64_t took_usec; // of a processor's time, so far
	int64_t steps; // of SQLite's machine, where statements are checked
	struct store_request *next; // writer::waiting, writer::batch, store_requests::first

	int64_t uid; // whose it is, filled by the caller: users have turns; -1: the daemon's
	int64_t for_uid; // whom the daemon's own is for, filled by the caller; -1: nobody, or `uid`
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

	/* Of a method: its reply, encoded where it was read and without its tail; who wants it takes
	 * it. And of a list, the page that it is. */
	char *text;
	size_t text_size;
	const struct method_page *page;
	bool keeps_rows; // the page still has its items when it is answered
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

void store_request_init(struct store_request *request, struct loop *reply_to,
			void (*done)(struct store_request *request), void *userdata);
void store_request_done(struct store_request *request);

struct store_options {
	const char *state_dir; // made with mode 0700 when missing
	bool system; // a system daemon: references to keys are for administrators
	bool check_statements; // in any build: see statement_check.h
	const struct prices *prices; // where configs say none; outlives the store; or NULL
	const struct catalogue *catalogue; // evaluators that are built in; outlives the store; or NULL
	struct loop *reply_to; // whose thread the callbacks are on
	/* Something keeps the store from writing, or nothing does any more. */
	void (*trouble)(void *userdata, enum store_trouble trouble);
	/* There are events up to `number`; those who added them have been answered. Or NULL. */
	void (*events_added)(void *userdata, int64_t number);
	/* Called inside store_open(), often, while it migrates and recovers, with how long it may
	 * be until the next call where that is known to be long, else 0; or NULL. */
	void (*migrating)(void *userdata, int64_t silent_usec);
	void *userdata;
};
