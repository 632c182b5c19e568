/*
 * JSON with comments, or YAML, as people keep it in a file: read whole, and kept, so that what is wrong with any
 * field of it can be told with its line and column. Comments are blanked out, so that offsets stay what
 * they are in the file.
 */
#pragma once

#include <json.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/cli/view/text.h"

struct json_file {
	char *path;
	char *text; // of JSON: with comments blanked out
	size_t size;
	bool is_yaml;
};

/* Whether a word is such a file rather than a name: it ends in .json or .yaml, has a `/` in it, or is `-`. */
bool json_file_is_meant(const char *word);

/* The object in the file; `-` is standard input. -EINVAL with a complaint, -ENOMEM. Done in either
 * case. */
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

/* ---- The text alone ---- */

/* Replaces comments by blanks (line breaks stay). An open one is -EINVAL, with its offset. */
int json_text_strip_comments(char *text, size_t size, size_t *ret_offset);

/* Parses one value and nothing after it. On -EINVAL, `ret_offset` and `ret_reason` say where
 * and what is wrong; on success the caller puts the object. */
int json_text_parse(const char *text, size_t size, json_object **ret_value, size_t *ret_offset,
		    const char **ret_reason);

/* The offset of the field at `path` (`a.b[2].c`), or of its innermost parent that is there.
 * False when not even the first part is. The text must have parsed and end with a NUL. */
bool json_text_locate(const char *text, size_t size, const char *path, size_t *ret_offset);
