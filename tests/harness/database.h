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
