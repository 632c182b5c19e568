/*
 * The schema, as the migrations that lead to it. `user_version` counts the migrations a file
 * has seen; each runs in one transaction with the raise of that number. Forward only: a file
 * from a newer version, and one whose tables are not those of its version, is refused before
 * anything is written.
 *
 * A new version is a file schema_vN.c with its text and a row in schema.c; what was released
 * stays as it is. What ALTER TABLE cannot say rebuilds the table, as sqlite.org's
 * lang_altertable.html has it; tests/unit/store/store_migration.c is a worked example:
 *
 *   1. CREATE TABLE t_new (...), references to itself written as to t;
 *   2. INSERT INTO t_new SELECT ... FROM t, every column by name;
 *   3. with AUTOINCREMENT, copy t's row of sqlite_sequence to t_new's: the highest id may have
 *      been deleted, and no id is used again;
 *   4. DROP TABLE t; its indexes and triggers go with it, references to it stay;
 *   5. ALTER TABLE t_new RENAME TO t. A trigger elsewhere that names t has to be dropped first;
 *   6. CREATE the indexes and triggers again, also those that did not change.
 *
 * Foreign keys are off outside the transaction (inside, the pragma does nothing), so that
 * dropping a table neither deletes nor fails what refers to it; before the commit all of them are
 * checked. A copy goes through the page cache to the log, and sorts go to files: memory does not
 * grow with the table.
 */
#pragma once

#include "daemon/store/engine/statement.h"
#include "proto/fault/fault.h"

#define SCHEMA_APPLICATION_ID 0x456c6c75 // "Ellu"

struct schema {
	const char *const *const *migrations; // texts, each list ended by NULL
	int64_t version; // how many
};

extern const struct schema schema_present;
/* Scripts of the first version, to run in this order. */
extern const char schema_v1_resources[], schema_v1_runs[], schema_v1_tasks[];

/* What is told of a migration; `silent` before what cannot be watched, such as a long sync, with
 * the time that it may take. */
struct schema_watch {
	void (*silent)(void *userdata, int64_t usec); // or NULL
	void *userdata;
};

/* Whether the file is a database of ours, of this version or an earlier one; nothing is written. */
int schema_recognise(struct db *db, const char *path, struct fault *fault);

/* Brings a writable connection's file to the version of `schema`. `path` is for messages. */
int schema_migrate(struct db *db, const char *path, const struct schema *schema,
		   const struct schema_watch *watch, struct fault *fault);
