/*
 * Amazon's event streams. The first byte says whether the rest is one as it stands, or what a message
 * with sound sizes and checksums is made of: the size of its headers in a byte, these, a payload.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/wire/aws_event_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static uint32_t add(uint32_t hash, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ at[i]) * 16777619;
	return hash;
}

/* What a stream says, in a number, when so many bytes come at a time. */
static uint32_t read_all(const char *bytes, size_t size, size_t step, int *ret_events)
{
	struct aws_event_stream stream = { 0 };
	struct aws_event event;
	uint32_t hash = 2166136261;
	ssize_t taken = 0;

	*ret_events = 0;
	for (size_t at = 0; taken >= 0 && at < size; at += (size_t)taken) {
		size_t n = size - at < step ? size - at : step;
		/* What is read beyond it is told by a sanitizer. */
		char *copy = malloc(n);

		require(copy != NULL);
		memcpy(copy, bytes + at, n);
		taken = aws_event_stream_take(&stream, copy, n, &event);
		free(copy);
		require(taken < 0 || (taken > 0 && (size_t)taken <= n));
		require(aws_event_stream_held(&stream) <= size);
		if (taken < 0 || !event.payload)
			continue;
		require(strlen(event.type) < sizeof(stream.type));
		hash = add(hash, event.type, strlen(event.type) + 1);
		hash = add(hash, event.payload, event.size);
		hash = add(hash, &event.is_error, sizeof(event.is_error));
		++*ret_events;
	}
	aws_event_stream_done(&stream);
	return add(hash, &(int){ taken < 0 }, sizeof(int));
}

static void put_number(char *at, uint32_t number)
{
	for (int i = 0; i < 4; i++)
		at[i] = (char)(number >> (24 - 8 * i));
}

static uint32_t checksum(const char *bytes, size_t size)
{
	uint32_t sum = 0xffffffff;

	for (size_t i = 0; i < size; i++) {
		sum ^= (unsigned char)bytes[i];
		for (int bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? 0xedb88320 : 0);
	}
	return ~sum;
}

/* Around what the input says. */
static size_t make_message(char *out, const uint8_t *data, size_t size)
{
	size_t headers = size > 0 ? data[0] : 0, rest = size > 0 ? size - 1 : 0;

	headers = headers < rest ? headers : rest;
	put_number(out, (uint32_t)(rest + 16));
	put_number(out + 4, (uint32_t)headers);
	put_number(out + 8, checksum(out, 8));
	if (rest > 0)
		memcpy(out + 12, data + 1, rest);
	put_number(out + 12 + rest, checksum(out, 12 + rest));
	return rest + 16;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 1, 3, 13, 137 };
	int n, n_whole;
	char *bytes;
	uint32_t whole;
	size_t length;

	if (size < 1)
		return 0;
	bytes = malloc(size + 16);
	require(bytes != NULL);
	if (data[0] % 2) {
		length = make_message(bytes, data + 1, size - 1);
	} else {
		length = size - 1;
		memcpy(bytes, data + 1, length);
	}
	whole = read_all(bytes, length, SIZE_MAX, &n_whole);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		require(read_all(bytes, length, steps[i], &n) == whole);
		require(n == n_whole);
	}
	free(bytes);
	return 0;
}
