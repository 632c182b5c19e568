#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/wire/frame.h"
#include "tests/unit/suite.h"

/* Feeds bytes in slices; collects what comes out, a '|' behind each message. */
static int feed(struct frame_buffer *buffer, const char *bytes, size_t size, size_t slice,
		char *out, size_t *n_out)
{
	int r = 0;

	while (size > 0 && r >= 0) {
		char *room, *message;
		size_t room_size, message_size, n = size < slice ? size : slice;

		ck_assert_int_eq(frame_reserve(buffer, slice, &room, &room_size), 0);
		ck_assert_uint_ge(room_size, slice);
		memcpy(room, bytes, n);
		frame_commit(buffer, n);
		bytes += n;
		size -= n;
		while ((r = frame_next(buffer, &message, &message_size)) > 0) {
			ck_assert_uint_eq(strlen(message), message_size);
			memcpy(out + *n_out, message, message_size);
			*n_out += message_size;
			out[(*n_out)++] = '|';
		}
	}
	out[*n_out] = '\0';
	return r;
}

START_TEST(slices)
{
	static const char bytes[] = "{\"a\":1}\0\0{\"b\":2}\0" "abcdefghijklmnopqrstuvwxyz\0rest";
	static const size_t sizes[] = { 1, 2, 3, 7, 137, 65536 };
	char out[256];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct frame_buffer buffer;
		size_t n = 0;

		frame_init(&buffer);
		ck_assert_int_eq(feed(&buffer, bytes, sizeof(bytes) - 1, sizes[i], out, &n), 0);
		ck_assert_str_eq(out, "{\"a\":1}||{\"b\":2}|abcdefghijklmnopqrstuvwxyz|");
		ck_assert_uint_eq(frame_pending(&buffer), 4);
		frame_done(&buffer);
	}
}
END_TEST

START_TEST(many_messages_in_137_byte_slices)
{
	const size_t n_messages = 3000;
	struct frame_buffer buffer;
	char *bytes = malloc(n_messages * 64), *out = malloc(n_messages * 64);
	char *expected = malloc(n_messages * 64);
	size_t size = 0, n = 0;

	for (size_t i = 0; i < n_messages; i++) {
		size_t length = i * 31 % 60;

		memset(bytes + size, 'a' + (int) (i % 26), length);
		bytes[size + length] = '\0';
		size += length + 1;
	}
	for (size_t i = 0; i < size; i++)
		expected[i] = bytes[i] ? bytes[i] : '|';
	frame_init(&buffer);
	ck_assert_int_eq(feed(&buffer, bytes, size, 137, out, &n), 0);
	ck_assert_uint_eq(n, size);
	ck_assert(memcmp(out, expected, size) == 0);
	frame_done(&buffer);
	free(bytes);
	free(out);
	free(expected);
}
END_TEST

/* Fills a buffer with `size` bytes of 'x' in slices, without a NUL. */
static int fill(struct frame_buffer *buffer, size_t size, size_t slice)
{
	int r = 0;

	while (size > 0 && r == 0) {
		char *room, *message;
		size_t room_size, message_size, n = size < slice ? size : slice;

		if (frame_reserve(buffer, slice, &room, &room_size) < 0) // an assertion costs too much
			ck_abort();
		memset(room, 'x', n);
		frame_commit(buffer, n);
		size -= n;
		r = frame_next(buffer, &message, &message_size);
	}
	return r;
}

START_TEST(limit)
{
	struct frame_buffer buffer;
	char *room, *message;
	size_t size;

	frame_init(&buffer);
	ck_assert_int_eq(fill(&buffer, MESSAGE_SIZE_MAX, FRAME_READ_SIZE), 0);
	ck_assert_int_eq(frame_reserve(&buffer, 1, &room, &size), 0);
	*room = '\0';
	frame_commit(&buffer, 1);
	ck_assert_int_eq(frame_next(&buffer, &message, &size), 1);
	ck_assert_uint_eq(size, MESSAGE_SIZE_MAX);
	ck_assert_uint_le(buffer.size, MESSAGE_SIZE_MAX + 1 + FRAME_READ_SIZE);
	ck_assert_int_eq(frame_next(&buffer, &message, &size), 0);
	ck_assert_uint_le(buffer.size, FRAME_READ_SIZE); // given back
	ck_assert_int_eq(fill(&buffer, MESSAGE_SIZE_MAX + 1, FRAME_READ_SIZE), -EMSGSIZE);
	frame_done(&buffer);
}
END_TEST

START_TEST(large_message_by_single_bytes)
{
	struct frame_buffer buffer;

	frame_init(&buffer);
	// quadratic scanning or moving would take minutes
	ck_assert_int_eq(fill(&buffer, 4 * 1024 * 1024, 1), 0);
	ck_assert_uint_eq(frame_pending(&buffer), 4 * 1024 * 1024);
	frame_done(&buffer);
}
END_TEST

int main(void)
{
	return RUN_TESTS(slices, many_messages_in_137_byte_slices, limit,
			 large_message_by_single_bytes);
}
