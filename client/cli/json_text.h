/*
 * JSON as people write it: comments are blanked out so that offsets stay what they are in the
 * file, what is wrong is refused with the offset at which it stands, and any field of a good
 * text can be found again, for messages that name line and column.
 */
#pragma once

#include <json.h>
#include <stdbool.h>
#include <stddef.h>

/* Replaces comments by blanks (line breaks stay). An open one is -EINVAL, with its offset. */
int json_text_strip_comments(char *text, size_t size, size_t *ret_offset);

/* Parses one value and nothing after it. On -EINVAL, `ret_offset` and `ret_reason` say where
 * and what is wrong; on success the caller puts the object. */
int json_text_parse(const char *text, size_t size, json_object **ret_value, size_t *ret_offset,
		    const char **ret_reason);

/* The offset of the field at `path` (`a.b[2].c`), or of its innermost parent that is there.
 * False when not even the first part is. The text must have parsed and end with a NUL. */
bool json_text_locate(const char *text, size_t size, const char *path, size_t *ret_offset);

/* Line and column (in characters) of an offset, both from 1. */
void json_text_position(const char *text, size_t offset, int *ret_line, int *ret_column);
