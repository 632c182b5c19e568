/*
 * The rows of a collection as the user keeps them: a CSV file with a header, a JSONL file, a JSON file
 * that is an array, or an array in the experiment file. They are read one at a time, in constant memory, as often as
 * one rewinds. Whatever is wrong is a complaint that names the file and the line.
 */
#pragma once

#include <json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "client/cli/view/text.h"

struct cli;
struct ellu_collection;
struct ellu_column;
struct ellu_ref;
struct rows;

/* The formats that files have: csv, jsonl, json. By that word, or by the name's ending (`.ndjson` is
 * jsonl). -EINVAL: none of them. */
int rows_format_find(const char *path, const char *format);

/* `-` is standard input. What is read `once` need not be a file. */
int rows_open(const char *path, const char *format, bool once, struct rows **ret_rows,
	      struct complaint *complaint);

/* JSONL, in a file that is read from its beginning and closed with the rows. */
int rows_from_file(FILE *file, const char *name, struct rows **ret_rows);

/* Holds the array; `name` says in complaints where it stands. */
int rows_from_array(json_object *array, const char *name, struct rows **ret_rows);

/* What cells of CSV mean in these columns (borrowed): JSON where the type is `json`, as far as it is
 * any, or `conversation`; an empty cell of these and of `category` is none. */
void rows_set_columns(struct rows *rows, const struct ellu_column *const *columns, size_t n_columns);

/* What its default stands for. NULL without memory. */
json_object *column_fallback(const struct ellu_column *column);

/* 1 with the next row, an object that the caller puts; 0 at the end. */
int rows_next(struct rows *rows, json_object **ret_row, struct complaint *complaint);

int rows_rewind(struct rows *rows, struct complaint *complaint);

/* Where the row that came last begins, and how people call such a place: FILE:LINE. The text lasts
 * until the next call. */
long rows_line(const struct rows *rows);
const char *rows_place_of(struct rows *rows, long line);

/* Accepts NULL, returns NULL. */
struct rows *rows_free(struct rows *rows);

#define ROWS_IMPORT_COLUMNS_MAX 100 // that a command line names

/* ---- In the daemon ----
 *
 * A collection is made equal to the rows that the user keeps. Both are read side by side, in constant
 * memory; only when they differ, the rows are uploaded anew. They take the place of what was there all
 * together, so that an end in the middle leaves the old ones. */

/* 0 with the version that has these rows, or the exit status; it has said what was wrong, or what it
 * changed. */
int rows_sync(struct cli *cli, const struct ellu_collection *collection, struct rows *rows,
		    int64_t *ret_version);

/* An upload that begins where the rows are; `ref` is the collection's. */
struct rows_upload {
	bool replace;
	bool deduplicate;
	int64_t added;
	int64_t dropped;
	int64_t variables_count; // of the collection, then
	int64_t version;
};
/* 0, or the exit status after saying what was wrong, and in which line. */
int rows_upload(struct cli *cli, const struct ellu_ref *ref, struct rows *rows,
		struct rows_upload *upload);

/* The same without changing anything: whether the collection is there and has these rows, and how
 * many they are. Leaves the rows at their end. */
int rows_compare(struct cli *cli, const struct ellu_collection *collection, struct rows *rows,
		       bool *ret_equal, int64_t *ret_n_rows);
