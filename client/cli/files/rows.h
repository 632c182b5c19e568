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

struct ellu_column;
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
