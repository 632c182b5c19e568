#include "daemon/backend/wire/buffer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 1024

void buffer_done(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){ 0 };
}

void buffer_clear(struct buffer *buffer)
{
	if (buffer->capacity > BUFFER_KEPT_BYTES)
		buffer_done(buffer);
	buffer->size = 0;
	buffer->failed = false;
}

static bool buffer_reserve(struct buffer *buffer, size_t size)
{
	size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
	char *data;

	if (buffer->failed)
		return false;
	if (buffer->capacity - buffer->size >= size)
		return true;
	while (capacity - buffer->size < size) {
		if (capacity > SIZE_MAX / 2) {
			buffer->failed = true;
			return false;
		}
		capacity *= 2;
	}
	data = realloc(buffer->data, capacity);
	if (!data) {
		buffer->failed = true;
		return false;
	}
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
	if (size == 0 || !buffer_reserve(buffer, size))
		return;
	memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
}

void buffer_text(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, text, strlen(text));
}

void buffer_int(struct buffer *buffer, int64_t value)
{
	char text[24];
	int size = snprintf(text, sizeof(text), "%" PRId64, value);

	buffer_append(buffer, text, (size_t)size);
}

void buffer_float(struct buffer *buffer, double value)
{
	char text[32];
	int size = 0;

	for (int digits = 15; digits <= 17; digits++) {
		size = snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	buffer_append(buffer, text, (size_t)size);
}

/* What stands behind the backslash; 0: nothing needed; 'u': four digits follow. */
static const char escapes[256] = {
	[0 ... '\b'] = 'u', ['\t'] = 't', ['\n'] = 'n', ['\v' ... '\f'] = 'u', ['\r'] = 'r',
	[0x0e ... 0x1f] = 'u', ['"'] = '"', ['\\'] = '\\',
};

void buffer_json(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, "\"", 1);
	for (;;) {
		const char *plain = text;
		char out[8] = "\\";

		/* The end needs one, too. */
		while (!escapes[(unsigned char)*text])
			text++;
		buffer_append(buffer, plain, (size_t)(text - plain));
		if (!*text)
			break;
		out[1] = escapes[(unsigned char)*text];
		if (out[1] == 'u')
			snprintf(out, sizeof(out), "\\u%04x", (unsigned char)*text);
		buffer_text(buffer, out);
		text++;
	}
	buffer_append(buffer, "\"", 1);
}

void buffer_member(struct buffer *buffer, const char *name)
{
	char last = buffer->size > 0 ? buffer->data[buffer->size - 1] : ',';

	if (buffer->failed)
		return;
	buffer_text(buffer, last == '{' ? "\"" : ",\"");
	buffer_text(buffer, name);
	buffer_text(buffer, "\":");
}
