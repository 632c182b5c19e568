/* Server-sent events, whole and in pieces. */
#include <string.h>

#include "daemon/backend/wire/sse.h"
#include "tests/unit/suite.h"

#define EVENTS_MAX 256

/* The data of all events, each in brackets, when so many bytes come at a time. */
static const char *read_all(const char *text, size_t step)
{
	static char out[EVENTS_MAX];
	size_t size = strlen(text), used = 0;
	const struct buffer *data;
	struct sse sse = { 0 };

	for (size_t start = 0; start < size; start += step) {
		size_t n = size - start < step ? size - start : step;

		for (size_t at = 0; at < n;) {
			at += sse_take(&sse, text + start + at, n - at, &data);
			ck_assert_uint_le(at, n);
			if (!data)
				continue;
			ck_assert(!data->failed);
			ck_assert_uint_lt(used + data->size + 2, sizeof(out));
			out[used++] = '[';
			if (data->size > 0)
				memcpy(out + used, data->data, data->size);
			used += data->size;
			out[used++] = ']';
		}
	}
	out[used] = '\0';
	sse_done(&sse);
	return out;
}

START_TEST(events)
{
	static const struct {
		const char *text, *data;
	} cases[] = {
		{ "", "" },
		{ "data: a\n\n", "[a]" },
		{ "data: a\n", "" }, // its end never came
		{ "data:a\ndata: b\n\n", "[a\nb]" },
		{ "data:  a\n\n", "[ a]" },
		{ "data\n\n", "[]" },
		{ "data: a\r\n\r\ndata: b\r\n\r\n", "[a][b]" },
		{ "data: a\r\rdata: b\r\r", "[a][b]" },
		{ ": a comment\n\ndata: a\n\n: another\n\n", "[a]" },
		{ "event: x\nid: 7\nretry: 5\ndata: a\ndat: b\ndata2: c\n\n", "[a]" },
		{ "event: x\n\n\n\ndata: a\n\n", "[a]" },
		{ "\xef\xbb\xbf" "data: a\n\ndata: \xef\xbb\xbf\n\n", "[a][\xef\xbb\xbf]" },
		{ "data: {\"a\": \"b:c\"}\n\ndata: [DONE]\n\n", "[{\"a\": \"b:c\"}][[DONE]]" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (size_t step = 1; step <= strlen(cases[i].text) + 1; step++)
			ck_assert_str_eq(read_all(cases[i].text, step), cases[i].data);
	}
}
END_TEST

/* Who takes one event has not touched the next. */
START_TEST(one_at_a_time)
{
	static const char text[] = "data: a\n\ndata: b\n\n";
	const struct buffer *data;
	struct sse sse = { 0 };
	size_t n = sse_take(&sse, text, strlen(text), &data);

	ck_assert_uint_eq(n, strlen("data: a\n\n"));
	ck_assert_uint_eq(data->size, 1);
	ck_assert_uint_eq(sse_take(&sse, text + n, strlen(text) - n, &data), n);
	ck_assert_int_eq(data->data[0], 'b');
	ck_assert_uint_eq(sse_take(&sse, "", 0, &data), 0);
	ck_assert_ptr_null(data);
	sse_done(&sse);
}
END_TEST

int main(void)
{
	return RUN_TESTS(events, one_at_a_time);
}
