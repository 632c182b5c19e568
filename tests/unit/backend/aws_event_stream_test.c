/* The examples that Amazon publishes for its event streams, whole, in pieces and damaged. */
#include <stdio.h>
#include <string.h>

#include "daemon/backend/wire/aws_event_stream.h"
#include "tests/unit/suite.h"

#define BYTES(literal) literal, sizeof(literal) - 1

struct example {
	const char *bytes;
	size_t size;
	const char *said; // of each message `event TYPE [PAYLOAD]` or `error …`; of a stream that is damaged `!`
};

static const struct example examples[] = {
	{ BYTES("\0\0\0\x10\0\0\0\0\x05\xc2H\xeb}\x98\xc8\xff"), "event []" },
	{ BYTES("\0\0\0\x1d\0\0\0\x0d\x83\xe3\xf0\xe7\x07integer\x04\xff\xff\xff\xff\x8b\x8e\x12\xeb"),
	  "event []" },
	{ BYTES("\0\0\0\x1d\0\0\0\0\xfdR\x8cZ{'foo':'bar'}\xc3""e96"), "event [{'foo':'bar'}]" },
	{ BYTES("\0\0\0=\0\0\0 \x07\xfd\x83\x96\x0c""content-type\x07\0\x10"
		"application/json{'foo':'bar'}\x8d\x9c\x08\xb1"), "event [{'foo':'bar'}]" },
	{ BYTES("\0\0\0\x62\0\0\0\x52\x03\xb5\xcb\x9c"
		"\x01" "0\0\x01" "1\x01\x01" "2\x02\x02\x01" "3\x03\0\x03"
		"\x01" "4\x04\0\0\0\x04\x01" "5\x05\0\0\0\0\0\0\0\x05"
		"\x01" "6\x06\0\x05" "bytes\x01" "7\x07\0\x04utf8"
		"\x01" "8\x08\0\0\0\0\0\0\0\x08\x01" "9\x09" "0123456789abcdef" "\x63\x35\x36\x71"),
	  "event []" },
	{ BYTES("\0\0\0\x52\0\0\0\x42\xbf\x23\x63\x7e"
		"\x0d:message-type\x07\0\x05" "error" "\x0b:error-code\x07\0\x04" "code"
		"\x0e:error-message\x07\0\x07message\x6b\x6c\xea\x3d"), "error code [{\"message\":\"message\"}]" },
	{ BYTES("\0\0\0~\0\0\0O\xc5\xa3\xdd\xc6\x0d:message-type\x07\0\x05" "event\x0b:event-type\x07\0\x10"
		"initial-response\x0d:content-type\x07\0\x09text/json{\"InitialResponse\": \"sometext\"}"
		"\xf6\x98$\x83"), "event initial-response [{\"InitialResponse\": \"sometext\"}]" },
	/* Sizes, headers and payload that are other than they were. */
	{ BYTES("\0\0\0=\xff\0\x01\x02\x07\xfd\x83\x96\x0c""content-type\x07\0\x10"
		"application/json{'foo':'bar'}\x8d\x9c\x08\xb1"), "!" },
	{ BYTES("\0\0\0=\0\0\0 \x07\xfd\x83\x96\x0c""content+type\x07\0\x10"
		"application/json{'foo':'bar'}\x8d\x9c\x08\xb1"), "!" },
	{ BYTES("\x01\0\0\x1d\0\0\0\0\xfdR\x8cZ{'foo':'bar'}\xc3""e96"), "!" },
	{ BYTES("\0\0\0\x1d\0\0\0\0\xfdR\x8cZ{'foo':'bar'\x8d\xc3""e96"), "!" },
	/* Its end never came. */
	{ BYTES("\0\0\0\x1d\0\0\0\0\xfdR\x8cZ{'foo':'bar'}\xc3""e9"), "" },
};

/* What a stream says when so many bytes come at a time. */
static const char *read_all(const char *bytes, size_t size, size_t step)
{
	struct aws_event_stream stream = { 0 };
	struct aws_event event;
	static char said[4096];
	size_t used = 0, n;
	ssize_t taken = 0;

	said[0] = '\0';
	for (size_t at = 0; taken >= 0 && at < size; at += (size_t)taken) {
		n = step - at % step < size - at ? step - at % step : size - at;
		taken = aws_event_stream_take(&stream, bytes + at, n, &event);
		ck_assert_int_le(taken, (ssize_t)n);
		ck_assert_int_ne(taken, 0);
		if (taken < 0)
			strcpy(said + used, "!");
		else if (event.payload)
			used += (size_t)snprintf(said + used, sizeof(said) - used, "%s%s%s [%.*s]",
						 event.is_error ? "error" : "event", *event.type ? " " : "",
						 event.type, (int)event.size, event.payload);
		ck_assert_uint_lt(used, sizeof(said));
	}
	aws_event_stream_done(&stream);
	return said;
}

START_TEST(published)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++)
		for (size_t step = 1; step <= examples[i].size; step++)
			ck_assert_msg(strcmp(read_all(examples[i].bytes, examples[i].size, step),
					     examples[i].said) == 0, "%zu, %zu at a time: %s", i, step,
				      read_all(examples[i].bytes, examples[i].size, step));
}
END_TEST

/* All of them one behind another; behind what is damaged nothing is heard. */
START_TEST(in_a_row)
{
	char bytes[1024], said[1024] = "";
	size_t size = 0;

	for (size_t i = 0; strcmp(examples[i].said, "!") != 0; i++) {
		memcpy(bytes + size, examples[i].bytes, examples[i].size);
		size += examples[i].size;
		strcat(said, examples[i].said);
	}
	for (size_t step = 1; step <= size; step++)
		ck_assert_str_eq(read_all(bytes, size, step), said);
	for (size_t at = 0; at < size; at++) {
		bytes[at] ^= 0x10;
		ck_assert_ptr_nonnull(strchr(read_all(bytes, size, 7), '!'));
		bytes[at] ^= 0x10;
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS(published, in_a_row);
}
