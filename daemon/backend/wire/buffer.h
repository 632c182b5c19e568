/*
 * A growing piece of text, mostly JSON under construction. Lack of memory sticks: the buffer is
 * then `failed` and further appends do nothing, so a writer checks once, at the end.
 * A zeroed buffer is valid and empty. The text is not NUL-terminated.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
	char *data;
	size_t size;
	size_t capacity;
	bool failed;
};

#define BUFFER_KEPT_BYTES (64u * 1024) // a cleared buffer gives back what is beyond

void buffer_done(struct buffer *buffer);
void buffer_clear(struct buffer *buffer); // empty, and usable again after a failure
void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_int(struct buffer *buffer, int64_t value);
void buffer_float(struct buffer *buffer, double value); // the shortest that reads back the same
void buffer_json(struct buffer *buffer, const char *text); // quoted and escaped
/* `,"NAME":`, or without the comma just behind an opening brace. */
void buffer_member(struct buffer *buffer, const char *name);
