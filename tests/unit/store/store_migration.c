/*
 * A worked example of a second version of the schema: how tables are rebuilt under foreign keys
 * (the steps are in daemon/store/engine/schema.h), and that a process killed anywhere in it leaves
 * a database of one of the two versions, whole.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store/engine/schema.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/suite.h"

#define CACHE_KIB 256

/* A process that is about to die is dear under a sanitizer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KILL_STEP 3
#else
#define KILL_STEP 1
#endif

/* Large, with ids that are never used again, and referred to by `responses`. */
static const char rows[] =
	"CREATE TABLE template_variables_new ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects," // what is new
	" batch_id INTEGER NOT NULL REFERENCES row_batches,"
	" input_values TEXT NOT NULL,"
	" hash INTEGER NOT NULL,"
	" created_at INTEGER NOT NULL,"
	" removed_sequence INTEGER"
	") STRICT;"
	"INSERT INTO template_variables_new"
	" (id, owner_uid, project_id, batch_id, input_values, hash, created_at, removed_sequence)"
	" SELECT id, owner_uid, project_id, batch_id, input_values, hash, created_at, removed_sequence"
	" FROM template_variables;"
	"DELETE FROM sqlite_sequence WHERE name = 'template_variables_new';"
	"INSERT INTO sqlite_sequence (name, seq) SELECT 'template_variables_new', seq"
	" FROM sqlite_sequence WHERE name = 'template_variables';"
	"DROP TABLE template_variables;"
	"ALTER TABLE template_variables_new RENAME TO template_variables;"
	"CREATE INDEX template_variables_by_batch ON template_variables (batch_id);"
	"CREATE INDEX template_variables_by_hash ON template_variables (project_id, hash);";

/* With a trigger, which dropping the table must not fire. */
static const char events[] =
	"CREATE TABLE task_events_new ("
	" task_id INTEGER NOT NULL REFERENCES tasks,"
	" sequence INTEGER NOT NULL CHECK (sequence >= 1)," // what is new
	" number INTEGER NOT NULL UNIQUE,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL,"
	" at INTEGER NOT NULL,"
	" status TEXT NOT NULL,"
	" hold TEXT,"
	" line TEXT,"
	" PRIMARY KEY (task_id, sequence)"
	") STRICT, WITHOUT ROWID;"
	"INSERT INTO task_events_new"
	" (task_id, sequence, number, owner_uid, project_id, at, status, hold, line)"
	" SELECT task_id, sequence, number, owner_uid, project_id, at, status, hold, line"
	" FROM task_events;"
	"DROP TABLE task_events;"
	"ALTER TABLE task_events_new RENAME TO task_events;"
	"CREATE INDEX task_events_by_owner ON task_events (owner_uid, number);"
	"CREATE TRIGGER task_events_deleted AFTER DELETE ON task_events BEGIN"
	" UPDATE daemon SET event_number = OLD.number WHERE event_number < OLD.number;"
	"END;";

static const char *const *migrations[2]; // the present schema, then the example's second
static const char *const second[] = { rows, events, NULL };
static const struct schema schema_second = { .migrations = migrations, .version = 2 };

static struct fixture f;
static char database[200]; // of the fixture, at rest
static char copy[200];

/* A database with everything that refers to what is rebuilt, and rows whose ids are gone. */
static void make_database(int64_t n_rows, int row_bytes)
{
	const struct run_spec *spec;
	char sql[600];

	migrations[0] = schema_present.migrations[0];
	migrations[1] = second;
	fixture_open(&f);
	claim(&f, submit_grid(&f, "")->id);
	spec = load_run(&f, 1);
	rate(&f, spec, answer(&f, spec, 1, 1, "text"), 1, 0, 1, false);
	fixture_stop(&f);
	snprintf(sql, sizeof(sql),
		 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
		 "INSERT INTO template_variables (owner_uid, project_id, batch_id, input_values, hash,"
		 " created_at) SELECT owner_uid, project_id, batch_id, hex(zeroblob(%d)), random(), i"
		 " FROM n, (SELECT * FROM template_variables LIMIT 1);"
		 "DELETE FROM template_variables WHERE id = (SELECT max(id) FROM template_variables);",
		 (int)n_rows, row_bytes / 2);
	look_run(&f, sql);
	snprintf(database, sizeof(database), "%s/elluminate.db", f.dir);
	snprintf(copy, sizeof(copy), "%s/copy.db", f.dir);
}

static void make_copy(void)
{
	int from = open(database, O_RDONLY | O_CLOEXEC);
	int to = open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char log[220];
	struct stat file;

	ck_assert(from >= 0 && to >= 0 && fstat(from, &file) == 0);
	ck_assert_int_eq(sendfile(to, from, NULL, (size_t)file.st_size), file.st_size);
	close(from);
	close(to);
	snprintf(log, sizeof(log), "%s-wal", copy);
	(void)unlink(log);
	snprintf(log, sizeof(log), "%s-shm", copy);
	(void)unlink(log);
}

static int migrate(const char *path, const struct schema *schema, const struct schema_watch *watch,
		   struct fault *fault)
{
	struct db db;
	int r = db_open(path, /* writable= */ true, CACHE_KIB, &db);

	ck_assert_int_eq(r, 0);
	r = schema_migrate(&db, path, schema, watch, fault);
	db_close(&db);
	return r;
}

static void mix(uint64_t *hash, const char *text)
{
	for (; text && *text; text++)
		*hash = (*hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	*hash = (*hash ^ 0xff) * UINT64_C(0x100000001b3);
}

/* Of every row of every table, and of the ids given so far. */
static uint64_t digest_of(sqlite3 *db)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	sqlite3_stmt *tables, *cells;
	char sql[200];

	ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type = 'table'"
						" AND name NOT LIKE 'sqlite_stat%' ORDER BY name", -1,
					    &tables, NULL), SQLITE_OK);
	while (sqlite3_step(tables) == SQLITE_ROW) {
		snprintf(sql, sizeof(sql), "SELECT * FROM %s ORDER BY 1, 2",
			 (const char *)sqlite3_column_text(tables, 0));
		mix(&hash, sql);
		ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &cells, NULL), SQLITE_OK);
		while (sqlite3_step(cells) == SQLITE_ROW)
			for (int i = 0; i < sqlite3_column_count(cells); i++)
				mix(&hash, (const char *)sqlite3_column_text(cells, i));
		sqlite3_finalize(cells);
	}
	sqlite3_finalize(tables);
	return hash;
}

static int64_t int_of(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t value;

	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

/* The version that a file is at; it is whole, and every row is there. */
static int64_t look_whole(const char *path, uint64_t digest)
{
	sqlite3 *db;
	int64_t version;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	version = int_of(db, "PRAGMA user_version");
	ck_assert_int_eq(int_of(db, "SELECT count(*) FROM pragma_integrity_check"
				    " WHERE integrity_check <> 'ok'"), 0);
	ck_assert_int_eq(int_of(db, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
	ck_assert_int_eq(int_of(db, "SELECT sql LIKE '%REFERENCES projects%' FROM sqlite_schema"
				    " WHERE name = 'template_variables'"), version == 2);
	ck_assert_int_eq(int_of(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%_new'"), 0);
	ck_assert(digest_of(db) == digest);
	sqlite3_close(db);
	return version;
}

static uint64_t digest_at(const char *path)
{
	sqlite3 *db;
	uint64_t digest;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	digest = digest_of(db);
	sqlite3_close(db);
	return digest;
}

START_TEST(tables_are_rebuilt)
{
	struct fault fault;
	uint64_t digest;
	sqlite3 *db;

	make_database(100, 100);
	digest = digest_at(database);
	ck_assert_int_eq(look_whole(database, digest), 1);
	ck_assert_int_eq(migrate(database, &schema_second, NULL, &fault), 0);
	ck_assert_int_eq(look_whole(database, digest), 2);
	ck_assert_int_eq(migrate(database, &schema_second, NULL, &fault), 0);
	/* What refers to it still does, and what was there still works. */
	ck_assert_int_eq(sqlite3_open(database, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "PRAGMA foreign_keys = ON", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "DELETE FROM template_variables WHERE id = 1", NULL, NULL,
				      NULL), SQLITE_CONSTRAINT);
	ck_assert_int_eq(sqlite3_exec(db, "DELETE FROM task_events", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_gt(int_of(db, "SELECT event_number FROM daemon"), 0);
	sqlite3_close(db);
	/* This daemon does not know it. */
	ck_assert_int_eq(fixture_try_start(&f, false, &fault), ELLU_E_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(fault.message, "newer version"));
	fixture_close(&f);
}
END_TEST

/* ---- Killed ---- */

/* In place of the C library's: what a killed process has written is the kernel's already. */
__attribute__((visibility("default"))) int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

__attribute__((visibility("default"))) int fsync(int fd)
{
	(void)fd;
	return 0;
}

static int64_t writes_left; // of the process, before it is killed
static bool torn; // in the middle of the next one

static ssize_t killing_pwrite(int fd, const void *data, size_t size, off64_t offset)
{
	if (writes_left-- == 0) {
		if (torn)
			(void)pwrite64(fd, data, size / 2, offset);
		raise(SIGKILL);
	}
	return pwrite64(fd, data, size, offset);
}

static void migrate_and_die(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	struct fault fault;

	if (vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)killing_pwrite) != SQLITE_OK)
		_exit(2);
	_exit(migrate(copy, &schema_second, NULL, &fault) < 0);
}

/* True when it was killed, false when it was through before. */
static bool killed_after(int64_t n_writes)
{
	int status;
	pid_t pid;

	writes_left = n_writes;
	pid = fork();
	if (pid == 0)
		migrate_and_die();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

START_TEST(killed_anywhere)
{
	int seen[3] = { 0 };
	struct fault fault;
	uint64_t digest;
	bool killed = true;

	make_database(60, 400);
	digest = digest_at(database);
	for (int64_t n = 0; killed; n += KILL_STEP) {
		int64_t version;

		make_copy();
		torn = n % 4 == 3;
		killed = killed_after(n);
		version = look_whole(copy, digest);
		ck_assert(version == 1 || version == 2);
		seen[version] += killed;
		if (version == 2)
			continue;
		ck_assert_int_eq(migrate(copy, &schema_second, NULL, &fault), 0);
		ck_assert_int_eq(look_whole(copy, digest), 2);
	}
	ck_assert_int_gt(seen[1], 50 / KILL_STEP); // the copy goes to the log
	ck_assert_int_gt(seen[2], 20 / KILL_STEP); // the log goes to the file
	fixture_close(&f);
}
END_TEST

/* ---- Large ---- */

static int64_t silence_usec;

static void on_silent(void *userdata, int64_t usec)
{
	(void)userdata;
	silence_usec += usec;
}

/* 20 MB of rows; sorted in memory, their indexes alone would take as much. */
START_TEST(memory_does_not_grow_with_a_table)
{
	const struct schema_watch watch = { .silent = on_silent };
	struct fault fault;
	int64_t before;

	make_database(60000, 300);
	/* The store lets it count nothing. */
	ck_assert_int_eq(sqlite3_shutdown(), SQLITE_OK);
	ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 1), SQLITE_OK);
	before = sqlite3_memory_used();
	(void)sqlite3_memory_highwater(/* reset= */ 1);
	ck_assert_int_eq(migrate(database, &schema_second, &watch, &fault), 0);
	ck_assert_int_gt(sqlite3_memory_highwater(0) - before, CACHE_KIB << 10);
	ck_assert_int_lt(sqlite3_memory_highwater(0) - before, 2 << 20);
	ck_assert_int_gt(silence_usec, 1000000);
	fixture_close(&f);
}
END_TEST

/* ---- Refused ---- */

START_TEST(what_a_migration_breaks_is_not_committed)
{
	static const char *const forgets[] = { rows, "DELETE FROM template_variables WHERE id = 1", NULL };
	struct fault fault;
	uint64_t digest;

	make_database(10, 10);
	digest = digest_at(database);
	migrations[1] = forgets;
	ck_assert_int_lt(migrate(database, &schema_second, NULL, &fault), 0);
	ck_assert_msg(strstr(fault.message, "of responses refers to no row of template_variables"),
		      "%s", fault.message);
	ck_assert_int_eq(look_whole(database, digest), 1);
	fixture_start(&f);
	fixture_close(&f);
}
END_TEST

int main(void)
{
	return RUN_TESTS(tables_are_rebuilt, killed_anywhere, memory_does_not_grow_with_a_table,
			 what_a_migration_breaks_is_not_committed);
}
