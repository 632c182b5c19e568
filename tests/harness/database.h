/*
 * A daemon's database, looked at (or tampered with) from beside it. The text of a query is a
 * format.
 */
#pragma once

#include <stdint.h>

struct daemon;

/* The first column of the first row; there must be one. */
int64_t database_int(const struct daemon *daemon, const char *sql, ...)
	__attribute__((format(printf, 2, 3)));
/* The same as text; "" for NULL. */
char *database_text(const struct daemon *daemon, const char *sql, ...)
	__attribute__((format(printf, 2, 3)));
void database_run(const struct daemon *daemon, const char *sql, ...)
	__attribute__((format(printf, 2, 3)));
/* A dead daemon's database, as its next start will find it: a copy, opened. sqlite3_close() it. */
struct sqlite3 *database_copy(const char *state_dir);
/* database_int() of it. */
int64_t database_copy_int(const struct daemon *daemon, const char *sql);
