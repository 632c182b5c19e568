#include "tests/sim/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void *must_have(void *memory)
{
	if (memory)
		return memory;
	fputs("ellu-sim: out of memory\n", stderr);
	exit(1);
}

struct span span_of(const char *text)
{
	return (struct span) { text, strlen(text) };
}

bool span_is(struct span span, const char *text)
{
	return strlen(text) == span.size && memcmp(span.data, text, span.size) == 0;
}

bool span_is_nocase(struct span span, const char *text)
{
	return strlen(text) == span.size && strncasecmp(span.data, text, span.size) == 0;
}

char *bytes_reserve(struct bytes *bytes, size_t n)
{
	if (bytes->allocated - bytes->size < n) {
		size_t allocated = bytes->allocated * 2;

		if (allocated < bytes->size + n)
			allocated = bytes->size + n;
		if (allocated < 1024)
			allocated = 1024;
		bytes->data = must_have(realloc(bytes->data, allocated));
		bytes->allocated = allocated;
	}
	return bytes->data + bytes->size;
}

void bytes_append(struct bytes *bytes, const void *data, size_t size)
{
	if (size == 0)
		return;
	memcpy(bytes_reserve(bytes, size), data, size);
	bytes->size += size;
}

void bytes_text(struct bytes *bytes, const char *text)
{
	bytes_append(bytes, text, strlen(text));
}

void bytes_printf(struct bytes *bytes, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (n < 0)
		return;
	va_start(arguments, format);
	vsnprintf(bytes_reserve(bytes, (size_t) n + 1), (size_t) n + 1, format, arguments);
	va_end(arguments);
	bytes->size += (size_t) n;
}

static void append_escaped(struct bytes *bytes, unsigned char c)
{
	switch (c) {
	case '"':
		bytes_append(bytes, "\\\"", 2);
		break;
	case '\\':
		bytes_append(bytes, "\\\\", 2);
		break;
	case '\n':
		bytes_append(bytes, "\\n", 2);
		break;
	default:
		bytes_printf(bytes, "\\u%04x", c);
	}
}

void bytes_json(struct bytes *bytes, struct span span)
{
	size_t plain = 0;

	bytes_append(bytes, "\"", 1);
	for (size_t i = 0; i < span.size; i++) {
		unsigned char c = (unsigned char) span.data[i];

		if (c >= ' ' && c != '"' && c != '\\')
			continue;
		bytes_append(bytes, span.data + plain, i - plain);
		append_escaped(bytes, c);
		plain = i + 1;
	}
	bytes_append(bytes, span.data + plain, span.size - plain);
	bytes_append(bytes, "\"", 1);
}

/* The length of the UTF-8 sequence at the start of the span, 0 when there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t size)
{
	size_t n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : *p >= 0xe0 && *p < 0xf0 ? 3 :
		   *p >= 0xf0 && *p < 0xf5 ? 4 : 0;

	if (n == 0 || n > size)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

void bytes_json_repaired(struct bytes *bytes, struct span span)
{
	struct bytes repaired = { 0 };

	for (size_t i = 0; i < span.size;) {
		size_t n = utf8_sequence((const unsigned char *) span.data + i, span.size - i);

		if (n == 0)
			bytes_text(&repaired, "\xef\xbf\xbd");
		else
			bytes_append(&repaired, span.data + i, n);
		i += n == 0 ? 1 : n;
	}
	bytes_json(bytes, (struct span) { repaired.data, repaired.size });
	bytes_done(&repaired);
}

void bytes_clear(struct bytes *bytes)
{
	bytes->size = 0;
}

void bytes_done(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes) { 0 };
}
