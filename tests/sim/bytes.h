/*
 * A growing buffer, and spans: pieces of memory that belong to someone else.
 *
 * A test program has no use for running on without memory, so growing never fails: it ends the
 * program with a message instead.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct span {
	const char *data;
	size_t size;
};

struct bytes {
	char *data;
	size_t size, allocated;
};

struct span span_of(const char *text);
bool span_is(struct span span, const char *text);
bool span_is_nocase(struct span span, const char *text);

/* Room for n more bytes behind the present end. */
char *bytes_reserve(struct bytes *bytes, size_t n);
void bytes_append(struct bytes *bytes, const void *data, size_t size);
void bytes_text(struct bytes *bytes, const char *text);
void bytes_printf(struct bytes *bytes, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The span as a JSON string with its quotes. Bytes from 0x80 on pass as they are. */
void bytes_json(struct bytes *bytes, struct span span);

/* The same for a span that may not be UTF-8: wrong bytes become U+FFFD. */
void bytes_json_repaired(struct bytes *bytes, struct span span);

void bytes_clear(struct bytes *bytes);
void bytes_done(struct bytes *bytes);

void *must_have(void *memory);
