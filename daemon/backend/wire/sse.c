#include "daemon/backend/wire/sse.h"

#include <string.h>

void sse_done(struct sse *sse)
{
	buffer_done(&sse->line);
	buffer_done(&sse->data);
}

/* `data: TEXT`, of which one blank does not count; several are lines of one text. */
static void take_field(struct sse *sse)
{
	static const char name[] = "data";
	const char *line = sse->line.data, *end = line + sse->line.size;
	const char *colon = memchr(line, ':', sse->line.size);
	const char *value = colon ? colon + 1 : end;

	if ((size_t)((colon ? colon : end) - line) != sizeof(name) - 1 ||
	    memcmp(line, name, sizeof(name) - 1) != 0)
		return;
	if (value < end && *value == ' ')
		value++;
	if (sse->has_data)
		buffer_text(&sse->data, "\n");
	buffer_append(&sse->data, value, (size_t)(end - value));
	sse->has_data = true;
}

/* True when it ends an event. */
static bool end_line(struct sse *sse)
{
	static const char mark[] = "\xef\xbb\xbf";
	bool empty;

	if (!sse->begun && sse->line.size >= 3 && memcmp(sse->line.data, mark, 3) == 0) {
		sse->line.size -= 3;
		memmove(sse->line.data, sse->line.data + 3, sse->line.size);
	}
	sse->begun = true;
	empty = sse->line.size == 0;
	if (!empty)
		take_field(sse);
	else
		sse->told = sse->has_data;
	sse->data.failed |= sse->line.failed;
	buffer_clear(&sse->line);
	return empty && sse->told;
}

size_t sse_take(struct sse *sse, const char *bytes, size_t size, const struct buffer **ret_data)
{
	size_t i = 0;

	*ret_data = NULL;
	if (sse->told) {
		buffer_clear(&sse->data);
		sse->told = sse->has_data = false;
	}
	while (i < size) {
		size_t end = i;

		if (sse->after_cr && bytes[i] == '\n')
			i = ++end;
		sse->after_cr = false;
		while (end < size && bytes[end] != '\n' && bytes[end] != '\r')
			end++;
		buffer_append(&sse->line, bytes + i, end - i);
		if (end == size)
			return size;
		sse->after_cr = bytes[end] == '\r';
		i = end + 1;
		if (end_line(sse)) {
			*ret_data = &sse->data;
			return i;
		}
	}
	return size;
}
