/*
 * The rows of a collection as the user keeps them: a CSV file with a header, a JSONL file, or an
 * array in the experiment file. They are read one at a time, in constant memory, as often as
 * one rewinds. Whatever is wrong is a complaint that names the file and the line.
 */
#pragma once

#include <json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cli/text.h"

struct cli;
struct ellu_collection;
struct rows;

/* By the name's ending: `.csv`, or `.jsonl` and `.ndjson`. */
int rows_open(const char *path, struct rows **ret_rows, struct complaint *complaint);

/* Holds the array; `name` says in complaints where it stands. */
int rows_from_array(json_object *array, const char *name, struct rows **ret_rows);

/* 1 with the next row, an object that the caller puts; 0 at the end. */
int rows_next(struct rows *rows, json_object **ret_row, struct complaint *complaint);

int rows_rewind(struct rows *rows, struct complaint *complaint);

/* Accepts NULL, returns NULL. */
struct rows *rows_free(struct rows *rows);

/* ---- In the daemon ----
 *
 * A collection is made equal to the rows that the user keeps. Both are read side by side, in constant
 * memory; only when they differ, the rows are uploaded anew. They take the place of what was there all
 * together, so that an end in the middle leaves the old ones. */

/* 0 with the version that has these rows, or the exit status; it has said what was wrong, or what it
 * changed. */
int rows_sync(struct cli *cli, const struct ellu_collection *collection, struct rows *rows,
		    int64_t *ret_version);

/* The same without changing anything: whether the collection is there and has these rows, and how
 * many they are. Leaves the rows at their end. */
int rows_compare(struct cli *cli, const struct ellu_collection *collection, struct rows *rows,
		       bool *ret_equal, int64_t *ret_n_rows);
