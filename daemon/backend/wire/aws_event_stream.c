#include "daemon/backend/wire/aws_event_stream.h"

#include <errno.h>
#include <string.h>

#define PRELUDE_BYTES 12 // two sizes and their checksum
#define CHECKSUM_BYTES 4
#define EMPTY_BYTES (PRELUDE_BYTES + CHECKSUM_BYTES) // a message with nothing in it

#define VALUE_TEXT 7 // a type
#define VALUE_TYPES 10

/* How many bytes a value has, by its type; -1: two of them say how many follow. */
static const int value_sizes[VALUE_TYPES] = { 0, 0, 1, 2, 4, 8, -1, -1, 8, 16 };

void aws_event_stream_done(struct aws_event_stream *stream)
{
	buffer_done(&stream->message);
	buffer_done(&stream->error);
}

size_t aws_event_stream_held(const struct aws_event_stream *stream)
{
	return stream->told ? 0 : stream->message.size;
}

static uint32_t number_at(const char *bytes)
{
	const unsigned char *at = (const unsigned char *)bytes;

	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* CRC-32 as zlib has it, half a byte at a time. */
static uint32_t checksum(const char *bytes, size_t size)
{
	static const uint32_t steps[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t sum = 0xffffffff;

	for (size_t i = 0; i < size; i++) {
		sum ^= (unsigned char)bytes[i];
		sum = sum >> 4 ^ steps[sum & 15];
		sum = sum >> 4 ^ steps[sum & 15];
	}
	return ~sum;
}

/* ---- Headers ---- */

struct header {
	const char *name;
	size_t name_size;
	const char *value;
	size_t value_size;
	int type;
};

/* Takes the first of what is left; false: they are not well-formed. */
static bool next_header(const char **at, size_t *left, struct header *ret_header)
{
	size_t name_size = (unsigned char)**at, head = 1 + name_size + 1, size;
	const char *value = *at + head;

	if (name_size == 0 || head > *left)
		return false;
	*ret_header = (struct header){ .name = *at + 1, .name_size = name_size,
				       .type = (unsigned char)value[-1] };
	if (ret_header->type >= VALUE_TYPES)
		return false;
	size = (size_t)value_sizes[ret_header->type];
	if (value_sizes[ret_header->type] < 0) {
		if (*left - head < 2)
			return false;
		size = (size_t)(unsigned char)value[0] << 8 | (unsigned char)value[1];
		value += 2;
		head += 2;
	}
	if (*left - head < size)
		return false;
	ret_header->value = value;
	ret_header->value_size = size;
	*at += head + size;
	*left -= head + size;
	return true;
}

static bool is(const char *text, size_t size, const char *what)
{
	return size == strlen(what) && memcmp(text, what, size) == 0;
}

static void take_type(struct aws_event_stream *stream, const struct header *header)
{
	size_t size = header->value_size < sizeof(stream->type) ? header->value_size :
								  sizeof(stream->type) - 1;

	memcpy(stream->type, header->value, size);
	stream->type[size] = '\0';
}

static void take_error(struct aws_event_stream *stream, const struct header *header)
{
	struct buffer words = { 0 };

	buffer_clear(&stream->error);
	buffer_append(&words, header->value, header->value_size);
	buffer_append(&words, "", 1);
	buffer_text(&stream->error, "{\"message\":");
	if (!words.failed)
		buffer_json(&stream->error, words.data);
	buffer_text(&stream->error, "}");
	stream->error.failed |= words.failed;
	buffer_done(&words);
}

static void take_header(struct aws_event_stream *stream, const struct header *header,
			struct aws_event *event)
{
	const char *value = header->value;
	size_t size = header->value_size;

	if (header->type != VALUE_TEXT)
		return;
	if (is(header->name, header->name_size, ":message-type"))
		event->is_error = !is(value, size, "event");
	else if (is(header->name, header->name_size, ":event-type") ||
		 is(header->name, header->name_size, ":exception-type") ||
		 is(header->name, header->name_size, ":error-code"))
		take_type(stream, header);
	else if (is(header->name, header->name_size, ":error-message"))
		take_error(stream, header);
}

static int read_headers(struct aws_event_stream *stream, size_t left, struct aws_event *event)
{
	const char *at = stream->message.data + PRELUDE_BYTES;
	struct header header;

	stream->type[0] = '\0';
	buffer_clear(&stream->error);
	while (left > 0) {
		if (!next_header(&at, &left, &header))
			return -EBADMSG;
		take_header(stream, &header, event);
	}
	return stream->error.failed ? -ENOMEM : 0;
}

/* ---- Messages ---- */

static int read_prelude(struct aws_event_stream *stream)
{
	const char *data = stream->message.data;
	uint32_t size = number_at(data), headers = number_at(data + 4);

	if (number_at(data + 8) != checksum(data, 8) || size < EMPTY_BYTES ||
	    headers > size - EMPTY_BYTES)
		return -EBADMSG;
	stream->size = size;
	return 0;
}

static int read_message(struct aws_event_stream *stream, struct aws_event *event)
{
	size_t end = stream->size - CHECKSUM_BYTES, begin;
	char *data = stream->message.data;
	int r;

	if (number_at(data + end) != checksum(data, end))
		return -EBADMSG;
	begin = PRELUDE_BYTES + number_at(data + 4);
	r = read_headers(stream, begin - PRELUDE_BYTES, event);
	if (r < 0)
		return r;
	event->type = stream->type;
	event->payload = data + begin;
	event->size = end - begin;
	if (event->size == 0 && stream->error.size > 0) {
		event->payload = stream->error.data;
		event->size = stream->error.size;
	}
	stream->told = true;
	return 0;
}

/* Up to so many bytes of the message; 0: they are not all there. */
static int fill(struct aws_event_stream *stream, size_t wanted, const char *bytes, size_t size,
		size_t *taken)
{
	size_t n = wanted - stream->message.size;

	n = n < size - *taken ? n : size - *taken;
	buffer_append(&stream->message, bytes + *taken, n);
	*taken += n;
	return stream->message.failed ? -ENOMEM : stream->message.size == wanted;
}

ssize_t aws_event_stream_take(struct aws_event_stream *stream, const char *bytes, size_t size,
			      struct aws_event *ret_event)
{
	size_t taken = 0;
	int r = 1;

	*ret_event = (struct aws_event){ 0 };
	if (stream->told) {
		buffer_clear(&stream->message);
		stream->told = false;
		stream->size = 0;
	}
	if (stream->size == 0) {
		r = fill(stream, PRELUDE_BYTES, bytes, size, &taken);
		if (r > 0)
			r = read_prelude(stream) < 0 ? -EBADMSG : 1;
	}
	if (r > 0)
		r = fill(stream, stream->size, bytes, size, &taken);
	if (r > 0)
		r = read_message(stream, ret_event);
	return r < 0 ? r : (ssize_t)taken;
}
