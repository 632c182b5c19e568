/*
 * A connection with its prepared statements. A statement is found by the address of its SQL
 * literal, prepared once and kept; binding, stepping and resetting go through the helpers here,
 * so that an operation reads as straight-line SQL.
 *
 * Formats of the bound values, one letter a parameter: `i` int64_t, `b` bool or int, `d` double,
 * `s` text or NULL, `I` const int64_t * or NULL, `D` const double * or NULL, `n` int64_t, an
 * amount: NULL where it is negative, and INTEGER_MAX at the most. Texts are not copied: they must
 * live until the reset.
 *
 * A connection belongs to one thread. Failures of SQLite itself come back as -EIO (-ENOSPC when
 * the disk is full, -ENOMEM without memory) and are remembered in `trouble`; a broken UNIQUE
 * constraint is -EEXIST, another one, or a value that is too big, -EDOM.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;

enum db_trouble {
	DB_FINE,
	DB_DEFECT, // a statement or constraint of ours is wrong
	DB_BUSY, // no memory, or another program has the file: it may go by
	DB_FULL, // no room on the disk
	DB_DAMAGED, // the file cannot be trusted any more
};

#define DB_STATEMENTS_MAX 512 // slots; a power of two, well above the number of literals

struct db_slot {
	const char *sql;
	sqlite3_stmt *statement;
};

struct db {
	sqlite3 *handle;
	bool checked; // no statement may walk a table or sort: see statement_check.h
	struct db_slot slots[DB_STATEMENTS_MAX];
	enum db_trouble trouble; // the worst since it was last cleared
	char trouble_text[256];
};

/* `cache_kib` bounds the page cache of this connection. A path that begins with `file:` is a URI. */
int db_open(const char *path, bool writable, int cache_kib, struct db *db);
void db_close(struct db *db);

/* Whether statements are checked; in debug builds they always are. */
void db_check(struct db *db, bool check);

/* A long statement counts turns of the loop whose thread runs it. */
void db_count_turns(struct db *db, struct loop *loop);

int db_query(struct db *db, sqlite3_stmt **ret_statement, const char *sql, const char *format, ...);
int db_next(struct db *db, sqlite3_stmt *statement); // 1: a row, 0: the end
/* Both, for the one row that there may be: 1, or 0. */
int db_row(struct db *db, sqlite3_stmt **ret_statement, const char *sql, const char *format, ...);

/* Runs a statement that gives no rows; answers how many rows it changed. */
int db_run(struct db *db, const char *sql, const char *format, ...);
/* The same of an INSERT; *ret_id is the row's, if there is a new one. */
int db_insert(struct db *db, int64_t *ret_id, const char *sql, const char *format, ...);

/* The first column of the first row: 1, or 0 when there is no row or it is NULL. */
int db_int(struct db *db, int64_t *ret_value, const char *sql, const char *format, ...);

/* Several statements without parameters, unprepared: for schema and pragmas. */
int db_script(struct db *db, const char *sql);

/* -EIO when the file is no more where it was opened: what is written there is lost. */
int db_check_place(struct db *db);

/* What all statements have cost since it was last asked, in steps of SQLite's machine. */
int64_t db_steps(struct db *db);

/* Rows that it has changed in all. */
int64_t db_rows_changed(struct db *db);

/* Notes what went wrong with the connection and answers the errno for it. */
int db_failed(struct db *db, int code);
/* Forgets what was noted: it has been dealt with. */
void db_forgive(struct db *db);

void statement_reset(sqlite3_stmt **statement);
#define QUERY __attribute__((cleanup(statement_reset))) sqlite3_stmt *

static inline int64_t column_int(sqlite3_stmt *statement, int column)
{
	return sqlite3_column_int64(statement, column);
}

static inline double column_double(sqlite3_stmt *statement, int column)
{
	return sqlite3_column_double(statement, column);
}

static inline bool column_null(sqlite3_stmt *statement, int column)
{
	return sqlite3_column_type(statement, column) == SQLITE_NULL;
}

static inline int64_t column_int_or(sqlite3_stmt *statement, int column, int64_t otherwise)
{
	return column_null(statement, column) ? otherwise : column_int(statement, column);
}

/* Valid until the next step or the reset. */
static inline const char *column_peek(sqlite3_stmt *statement, int column)
{
	return (const char *)sqlite3_column_text(statement, column);
}
