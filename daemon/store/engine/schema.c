#include "daemon/store/engine/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>


#define LOG_BYTES_MAX 8388608 // a log that is longer is checkpointed before the start goes on
#define DISK_BYTES_PER_SEC 8388608 // of a slow one
#define USEC_PER_SEC INT64_C(1000000)
#define MODEL_CACHE_KIB 64

static const char *const v1[] = { schema_v1_resources, schema_v1_runs, schema_v1_tasks, NULL };
/* The index is the `user_version` a migration starts from. */
static const char *const *const migrations[] = { v1 };
const struct schema schema_present = {
	.migrations = migrations,
	.version = sizeof(migrations) / sizeof(migrations[0]),
};

static int damaged(struct db *db, const char *path, struct fault *fault)
{
	int r = fault_set(fault, ELLU_E_STORAGE_DAMAGED, "%s is damaged: %s.", path,
			  db->trouble_text);

	snprintf(fault->field, sizeof(fault->field), "%s", path);
	return r;
}

static int failed(struct db *db, int r, const char *path, struct fault *fault)
{
	if (r == -ENOSPC)
		return fault_set(fault, ELLU_E_STORAGE_FULL, NULL);
	if (db->trouble == DB_DAMAGED)
		return damaged(db, path, fault);
	return fault_set(fault, ELLU_E_INTERNAL, "%s cannot be used: %s.", path, db->trouble_text);
}

static int64_t log_bytes(const char *path)
{
	char name[4096];
	struct stat file;

	snprintf(name, sizeof(name), "%s-wal", path);
	return stat(name, &file) < 0 ? 0 : (int64_t)file.st_size;
}

/* The whole log is read, synced or moved next. */
static void tell_silent(const char *path, const struct schema_watch *watch)
{
	if (watch && watch->silent)
		watch->silent(watch->userdata, log_bytes(path) / DISK_BYTES_PER_SEC * USEC_PER_SEC);
}

/* The rows that refer to nothing: a migration must not leave any. */
static int check_references(struct db *db)
{
	QUERY broken = NULL;
	int r;

	r = db_row(db, &broken, "PRAGMA foreign_key_check", "");
	if (r <= 0)
		return r;
	db->trouble = db->trouble > DB_DEFECT ? db->trouble : DB_DEFECT;
	snprintf(db->trouble_text, sizeof(db->trouble_text),
		 "row %" PRId64 " of %s refers to no row of %s", column_int(broken, 1),
		 column_peek(broken, 0), column_peek(broken, 2));
	return -EDOM;
}

static int migrate_from(struct db *db, const char *path, const struct schema *schema,
			int64_t version, const struct schema_watch *watch)
{
	char number[96];
	int r;

	snprintf(number, sizeof(number), "PRAGMA user_version = %d; PRAGMA application_id = %d;",
		 (int)version + 1, SCHEMA_APPLICATION_ID);
	r = db_script(db, "PRAGMA foreign_keys = OFF; PRAGMA temp_store = FILE; BEGIN IMMEDIATE;");
	for (const char *const *script = schema->migrations[version]; r >= 0 && *script; script++)
		r = db_script(db, *script);
	if (r >= 0)
		r = check_references(db);
	if (r >= 0)
		r = db_script(db, number);
	if (r >= 0) {
		tell_silent(path, watch);
		r = db_script(db, "COMMIT");
	}
	if (r < 0 && !sqlite3_get_autocommit(db->handle))
		(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	if (r >= 0)
		r = db_script(db, "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;");
	return r;
}

/* One line for everything the schema has. */
#define SCHEMA_TEXT                                                                             \
	"SELECT group_concat(type || ' ' || name || ' ' || coalesce(sql, ''), ';') FROM"        \
	" (SELECT * FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name)"

/* Whether the file holds exactly what the migrations up to its version make. */
static int schema_matches(struct db *db, const struct schema *schema, int64_t version)
{
	QUERY there = NULL;
	QUERY here = NULL;
	struct db model;
	int r;

	r = db_open(":memory:", /* writable= */ true, MODEL_CACHE_KIB, &model);
	for (int64_t from = 0; r >= 0 && from < version; from++)
		r = migrate_from(&model, ":memory:", schema, from, NULL);
	if (r >= 0)
		r = db_row(&model, &here, SCHEMA_TEXT, "");
	if (r >= 0)
		r = db_row(db, &there, SCHEMA_TEXT, "");
	if (r >= 0)
		r = column_peek(here, 0) && column_peek(there, 0) &&
		    strcmp(column_peek(here, 0), column_peek(there, 0)) == 0;
	statement_reset(&here);
	db_close(&model);
	return r;
}

/* Refuses what is not of this schema. Nothing is written. */
static int recognise(struct db *db, const char *path, const struct schema *schema,
		     int64_t *ret_version, struct fault *fault)
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
	if (version > schema->version)
		return fault_set(fault, ELLU_E_UNSUPPORTED,
				 "%s was written by a newer version (schema %d, this one knows %d); it "
				 "was not touched.", path, (int)version, (int)schema->version);
	*ret_version = version;
	r = version == 0 && objects == 0 ? 1 : schema_matches(db, schema, version);
	if (r < 0)
		return failed(db, r, path, fault);
	if (r == 0)
		return fault_set(fault, ELLU_E_UNSUPPORTED,
				 "%s has other tables than schema %d: it was made by a version that was "
				 "never released, or changed by hand. It was not touched; to begin "
				 "with an empty one, move it away.", path, (int)version);
	return 0;
}

int schema_recognise(struct db *db, const char *path, struct fault *fault)
{
	int64_t version = 0;
	int r = recognise(db, path, &schema_present, &version, fault);

	if (r == 0 && version == 0)
		r = fault_set(fault, ELLU_E_UNSUPPORTED, "%s is an empty database.", path);
	return r;
}

int schema_migrate(struct db *db, const char *path, const struct schema *schema,
		   const struct schema_watch *watch, struct fault *fault)
{
	int64_t version = 0;
	int r;

	tell_silent(path, watch);
	r = recognise(db, path, schema, &version, fault);
	if (r < 0)
		return r;
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	r = db_script(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			  "PRAGMA journal_size_limit = 8388608;");
	for (; r >= 0 && version < schema->version; version++)
		r = migrate_from(db, path, schema, version, watch);
	/* Also what a kill left: the writer's checkpoints are not to be as long. */
	if (r >= 0 && log_bytes(path) > LOG_BYTES_MAX) {
		tell_silent(path, watch);
		r = db_script(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	}
	return r < 0 ? failed(db, r, path, fault) : 0;
}
