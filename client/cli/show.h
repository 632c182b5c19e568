/* Records for people, by their tables: a cell of a list, or field by field. */
#pragma once

#include <stdio.h>

#include "client/cli/table.h"
#include "proto/record.h"

/* A column of a list. */
struct column {
	const char *title; // as of table_new(); NULL ends the columns
	const char *path; // of the field: "progress.percent_complete"
	void (*add)(struct table *table, const void *item); // the cell, in its place; or NULL
};

/* A field in a few words, for people; free() it. NULL when there is nothing to say. */
char *show_text(const struct record_field *field, const void *record);

/* The next cell: a field at `path`; an empty one when it, or what holds it, is not there. */
void show_cell(struct table *table, const struct record_type *type, const void *record,
	       const char *path);

/* All fields that are there, a line each. */
void show_record(FILE *out, const struct record_type *type, const void *record);
