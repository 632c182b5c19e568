/*
 * A table: aligned for people, or as CSV or Markdown, whatever its cells hold. Rows may be printed bit by bit,
 * under one header.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "client/cli/view/output.h"

#define TABLE_COLUMNS_MAX 64

struct table;

/* Printed to standard output, or as the other one says, which stays the caller's. */
struct table *table_new(void);
struct table *table_new_as(const struct output *as);

/* A title that starts with '>' aligns its column to the right. It stays the caller's. Columns come first. */
void table_column(struct table *table, const char *title);

/* The next cell, row by row; NULL is an empty one. Without memory the table prints nothing. */
void table_text(struct table *table, const char *text);
__attribute__((format(printf, 2, 3))) void table_printf(struct table *table, const char *format, ...);
/* A user, by name where there is one. */
void table_user(struct table *table, int64_t uid);
/* For programs: a number, or an empty cell. */
void table_known(struct table *table, const double *number);

/* What the last cell means. */
void table_mark(struct table *table, enum meaning meaning);

/* Prints the rows, and forgets them; the first time below the header. For people, the last column is cut
 * where the line ends, and others before it that are long. */
void table_print(struct table *table, FILE *out);

struct table *table_free(struct table *table); // accepts NULL, returns NULL
