/*
 * The rows of a collection as the user keeps them: a CSV file with a header, a JSONL file, or an
 * array in the experiment file. They are read one at a time, in constant memory, as often as
 * one rewinds. Whatever is wrong is a complaint that names the file and the line.
 */
#pragma once

#include <json.h>
#include <stddef.h>

#include "client/cli/complaint.h"

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
