#include "daemon/store/engine/schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/store/engine/schema_v1.h"

/* The index is the `user_version` a migration starts from. */
static const char *const *const migrations[] = { schema_v1 };
#define VERSION ((int64_t)(sizeof(migrations) / sizeof(migrations[0])))

static int damaged(struct db *db, const char *path, const char *what, struct fault *fault)
{
	int r = fault_set(fault, ELLU_E_STORAGE_DAMAGED, "%s is damaged: %s.", path,
			  what ? what : db->trouble_text);

	snprintf(fault->field, sizeof(fault->field), "%s", path);
	return r;
}

static int failed(struct db *db, int r, const char *path, struct fault *fault)
{
	if (r == -ENOSPC)
		return fault_set(fault, ELLU_E_STORAGE_FULL, NULL);
	if (db->trouble == DB_DAMAGED)
		return damaged(db, path, NULL, fault);
	return fault_set(fault, ELLU_E_INTERNAL, "%s cannot be used: %s.", path, db->trouble_text);
}

static int migrate_from(struct db *db, int64_t version)
{
	char number[96];
	int r;

	snprintf(number, sizeof(number), "PRAGMA user_version = %d; PRAGMA application_id = %d;",
		 (int)version + 1, SCHEMA_APPLICATION_ID);
	r = db_script(db, "BEGIN IMMEDIATE");
	for (const char *const *script = migrations[version]; r >= 0 && *script; script++)
		r = db_script(db, *script);
	if (r >= 0)
		r = db_script(db, number);
	if (r >= 0)
		r = db_script(db, "COMMIT");
	if (r < 0 && !sqlite3_get_autocommit(db->handle))
		(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

/* One line for everything the schema has. */
#define SCHEMA_TEXT                                                                             \
	"SELECT group_concat(type || ' ' || name || ' ' || coalesce(sql, ''), ';') FROM"        \
	" (SELECT * FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name)"

/* The file must hold exactly what the migrations make. Answers 1 when it does. */
static int schema_matches(struct db *db)
{
	QUERY there = NULL;
	QUERY here = NULL;
	struct db model;
	int r;

	r = db_open(":memory:", /* writable= */ true, 64, &model);
	for (int64_t version = 0; r >= 0 && version < VERSION; version++)
		r = migrate_from(&model, version);
	if (r >= 0)
		r = db_query(&model, &here, SCHEMA_TEXT, "");
	if (r >= 0)
		r = db_next(&model, here);
	if (r >= 0)
		r = db_query(db, &there, SCHEMA_TEXT, "");
	if (r >= 0)
		r = db_next(db, there);
	if (r >= 0)
		r = column_peek(here, 0) && column_peek(there, 0) &&
		    strcmp(column_peek(here, 0), column_peek(there, 0)) == 0;
	statement_reset(&here);
	db_close(&model);
	return r;
}

int schema_migrate(struct db *db, const char *path, struct fault *fault)
{
	int64_t version = 0, application = 0, objects = 0;
	int r;

	r = db_int(db, &version, "PRAGMA user_version", "");
	if (r >= 0)
		r = db_int(db, &application, "PRAGMA application_id", "");
	if (r >= 0)
		r = db_int(db, &objects, "SELECT count(*) FROM sqlite_schema", "");
	if (r < 0)
		return failed(db, r, path, fault);
	if (application != SCHEMA_APPLICATION_ID && (application || version || objects))
		return fault_set(fault, ELLU_E_UNSUPPORTED,
				 "%s is a database of another program; it was not touched.", path);
	if (version > VERSION)
		return fault_set(fault, ELLU_E_UNSUPPORTED,
				 "%s was written by a newer version (schema %d, this one knows %d); it "
				 "was not touched.", path, (int)version, (int)VERSION);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	r = db_script(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			  "PRAGMA journal_size_limit = 8388608;");
	for (; r >= 0 && version < VERSION; version++)
		r = migrate_from(db, version);
	if (r < 0)
		return failed(db, r, path, fault);
	r = schema_matches(db);
	if (r < 0)
		return failed(db, r, path, fault);
	if (r == 0)
		return damaged(db, path, "its tables are not those of its version", fault);
	return 0;
}
