/*
 * Every list, count and lookup goes by an index, so that what it costs depends on what it answers
 * and not on what others keep. Where connections are checked (debug builds, and the store's own
 * tests), the plan of each statement is read when it is prepared: one that walks a whole table,
 * sorts, or makes an index for itself ends the process, unless a list says why it may.
 */
#pragma once

#include <sqlite3.h>

void statement_check(sqlite3 *handle, const char *sql);
