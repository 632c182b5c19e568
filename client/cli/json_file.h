/*
 * A file in JSON with comments, as people keep one: read whole, and kept, so that what is wrong with
 * any field of it can be told with its line and column.
 */
#pragma once

#include <json.h>
#include <stddef.h>

#include "client/cli/complaint.h"

struct json_file {
	char *path;
	char *text; // with comments blanked out
	size_t size;
};

/* The object in the file; `-` is standard input. Negative with a complaint. Done in either case. */
int json_file_read(const char *path, struct json_file *ret_file, json_object **ret_object,
		   struct complaint *complaint);
void json_file_done(struct json_file *file);

/* FILE:LINE:COLUMN of the field at `path`, or of a parent; the file alone when it is not there. Returns
 * the buffer. */
const char *json_file_place(const struct json_file *file, const char *path, char *buffer, size_t size);

/* All of a file, at most `limit` bytes, with a NUL behind it; free() it. `-` is standard input. -ENOMEM,
 * else -EINVAL with a complaint. */
int file_text_read(const char *path, size_t limit, char **ret_text, size_t *ret_size,
		   struct complaint *complaint);
