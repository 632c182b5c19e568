#include "tests/harness/database.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/harness/daemon.h"
#include "tests/harness/dir.h"
#include "tests/harness/harness.h"

static sqlite3 *open_beside(const struct daemon *daemon)
{
	sqlite3 *db;

	if (sqlite3_open_v2(dir_path(daemon_state_dir(daemon), "elluminate.db"), &db,
			    SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		die("the database cannot be opened: %s", sqlite3_errmsg(db));
	sqlite3_busy_timeout(db, (int)(WAIT_SECONDS * 1000));
	return db;
}

static char *make_sql(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
static char *make_sql(const char *format, va_list arguments)
{
	char *sql;

	if (vasprintf(&sql, format, arguments) < 0)
		die("out of memory");
	return sql;
}

/* Closes the database. */
static char *first_text(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	const char *found;
	char *copy;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
	    sqlite3_step(statement) != SQLITE_ROW)
		die("%s: %s", sql, sqlite3_errmsg(db));
	found = (const char *)sqlite3_column_text(statement, 0);
	copy = text("%s", found ? found : "");
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return copy;
}

char *database_text(const struct daemon *daemon, const char *sql, ...)
{
	va_list arguments;
	char *made, *found;

	va_start(arguments, sql);
	made = make_sql(sql, arguments);
	va_end(arguments);
	found = first_text(open_beside(daemon), made);
	free(made);
	return found;
}

int64_t database_int(const struct daemon *daemon, const char *sql, ...)
{
	va_list arguments;
	char *made, *found;
	int64_t value;

	va_start(arguments, sql);
	made = make_sql(sql, arguments);
	va_end(arguments);
	found = first_text(open_beside(daemon), made);
	value = strtoll(found, NULL, 10);
	free(found);
	free(made);
	return value;
}

void database_run(const struct daemon *daemon, const char *sql, ...)
{
	sqlite3 *db = open_beside(daemon);
	va_list arguments;
	char *made;

	va_start(arguments, sql);
	made = make_sql(sql, arguments);
	va_end(arguments);
	if (sqlite3_exec(db, made, NULL, NULL, NULL) != SQLITE_OK)
		die("%s: %s", made, sqlite3_errmsg(db));
	sqlite3_close(db);
	free(made);
}

static void copy_file(const char *from_dir, const char *to_dir, const char *name)
{
	size_t size;
	char *content = file_read(dir_path(from_dir, name), &size);
	FILE *out;

	if (!content)
		return;
	out = fopen(dir_path(to_dir, name), "we");
	if (!out || fwrite(content, 1, size, out) != size || fclose(out) != 0)
		die("%s cannot be copied to %s", name, to_dir);
	free(content);
}

sqlite3 *database_copy(const char *state_dir)
{
	const char *copy = dir_new();
	sqlite3 *db;

	copy_file(state_dir, copy, "elluminate.db");
	copy_file(state_dir, copy, "elluminate.db-wal");
	copy_file(state_dir, copy, "elluminate.db-journal");
	if (sqlite3_open(dir_path(copy, "elluminate.db"), &db) != SQLITE_OK ||
	    sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) != SQLITE_OK)
		die("the database cannot be opened: %s", sqlite3_errmsg(db));
	/* It is open, and its log read. */
	dir_remove(copy);
	return db;
}

int64_t database_copy_int(const struct daemon *daemon, const char *sql)
{
	char *found = first_text(database_copy(daemon_state_dir(daemon)), sql);
	int64_t value = strtoll(found, NULL, 10);

	free(found);
	return value;
}
