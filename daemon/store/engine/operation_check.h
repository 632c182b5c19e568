/*
 * How much an operation may do on the writer, which has everybody's: so many rows of tables in one
 * transaction. Where connections are checked (debug builds, and the store's own tests), one that
 * changes more ends the process, unless a list says why it may, and how many.
 */
#pragma once

#include <stdint.h>

/* Two lists of a thousand, which are the longest that requests have, and what goes with them. */
#define OPERATION_ROWS_MAX 2048

void operation_check(const char *name, int64_t rows);
