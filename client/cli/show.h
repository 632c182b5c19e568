/* Records for people: as tables with aligned columns, or field by field; experiments and what came out
 * of them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "client/elluminate.h"
#include "proto/record.h"

#define TABLE_COLUMNS_MAX 12

struct table;

struct table *table_new(void);

/* A title that starts with '>' aligns its column to the right. It stays the caller's. Columns come first. */
void table_column(struct table *table, const char *title);

/* The next cell, row by row; NULL is an empty one. Without memory the table prints nothing. */
void table_text(struct table *table, const char *text);
__attribute__((format(printf, 2, 3))) void table_printf(struct table *table, const char *format,
							...);

/* On a terminal the last column is cut at its edge. */
void table_print(const struct table *table, FILE *out, bool color);

/* The same for a terminal that is `width` columns wide; 0: nothing is cut. */
void table_print_within(const struct table *table, FILE *out, bool color, int width);

struct table *table_free(struct table *table); // accepts NULL, returns NULL

/* ---- Records ---- */

/* A column of a list. */
struct column {
	const char *title; // as of table_column(); NULL ends the columns
	const char *path; // of the field: "progress.percent_complete"
	void (*add)(struct table *table, const void *item); // the cell, in its place; or NULL
};

void show_columns(struct table *table, const struct column *columns);

/* A record's row of them; what is not there is an empty cell. */
void show_row(struct table *table, const struct column *columns, const struct record_type *type,
	      const void *record);

/* All fields that are there, a line each. */
void show_record(FILE *out, const struct record_type *type, const void *record);

/* ---- Experiments and ratings ---- */

/* Provider and name of a model, in the buffer, which is returned. */
const char *model_text(const struct ellu_model *model, char *buffer, size_t size);

/* Which model answers, and which one judges, a line each. */
void results_print_models(FILE *out, const struct ellu_experiment *experiment);

void results_print(FILE *out, const struct ellu_experiment *experiment, bool color);

/* What a batch of ratings came to, below its verdicts. */
void results_print_ratings(FILE *out, const struct ellu_rating_results *results, bool color);
