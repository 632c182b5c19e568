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

static char *first_text(const struct daemon *daemon, const char *sql)
{
	sqlite3 *db = open_beside(daemon);
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
	found = first_text(daemon, made);
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
	found = first_text(daemon, made);
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
