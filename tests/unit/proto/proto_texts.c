/* Arena, UTF-8, times, money. */
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "proto/arena.h"
#include "proto/text/money.h"
#include "proto/text/time_text.h"
#include "proto/text/utf8.h"
#include "tests/unit/suite.h"

START_TEST(arena_pieces)
{
	struct arena arena, taken;
	char *texts[500];

	arena_init(&arena);
	for (size_t i = 0; i < 500; i++) {
		texts[i] = arena_printf(&arena, "%0*zu", (int) (i * 7 + 1), i);
		ck_assert_ptr_nonnull(texts[i]);
		ck_assert_uint_eq((uintptr_t) texts[i] % alignof(max_align_t), 0);
	}
	taken = arena_take(&arena);
	ck_assert_ptr_null(arena.chunk);
	for (size_t i = 0; i < 500; i++) {
		ck_assert_uint_eq(strlen(texts[i]), i * 7 + 1 < 3 && i > 9 ? 3 : i * 7 + 1);
		ck_assert_uint_eq((unsigned long) atol(texts[i]), i);
	}
	ck_assert_int_eq(*arena_int(&taken, INT64_MIN), INT64_MIN);
	ck_assert_double_eq(*arena_float(&taken, 0.25), 0.25);
	ck_assert_int_eq(*arena_bool(&taken, true), 1);
	ck_assert_ptr_null(arena_strdup(&taken, NULL));
	ck_assert_str_eq(arena_strndup(&taken, "abcdef", 3), "abc");
	ck_assert_ptr_nonnull(arena_array(&taken, 0, 8));
	ck_assert_ptr_null(arena_array(&taken, SIZE_MAX / 4, 8));
	ck_assert_ptr_null(arena_alloc(&taken, SIZE_MAX));
	char *zeroed = arena_alloc(&taken, 300000);
	for (size_t i = 0; i < 300000; i++)
		ck_assert_int_eq(zeroed[i], 0);
	arena_done(&taken);
	arena_done(&taken);
}
END_TEST

START_TEST(utf8_validity)
{
	static const struct {
		const char *text;
		bool valid;
	} cases[] = {
		{ "", true },
		{ "abc", true },
		{ "\xc3\xa4", true },
		{ "\xe2\x82\xac", true },
		{ "\xf0\x9f\x98\x80", true },
		{ "\xf4\x8f\xbf\xbf", true },
		{ "\x80", false },
		{ "\xc3", false },
		{ "\xc0\xaf", false }, // overlong
		{ "\xe0\x80\xaf", false },
		{ "\xed\xa0\x80", false }, // surrogate
		{ "\xf4\x90\x80\x80", false }, // above U+10FFFF
		{ "\xf8\x88\x80\x80\x80", false },
		{ "a\xff", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(utf8_valid(cases[i].text, strlen(cases[i].text), NULL) ==
				      cases[i].valid,
			      "case %zu", i);
	ck_assert_uint_eq(utf8_length("a\xc3\xa4\xe2\x82\xac", 6), 3);
}
END_TEST

START_TEST(utf8_cleaning)
{
	static const struct {
		const char *text;
		size_t size;
		const char *clean;
		size_t replaced;
	} cases[] = {
		{ "abc", 3, "abc", 0 },
		{ "a\0b", 3, "a\xef\xbf\xbd" "b", 1 },
		{ "a\xe2\x82", 3, "a\xef\xbf\xbd", 1 }, // one cut character, one sign
		{ "\xff\xfe", 2, "\xef\xbf\xbd\xef\xbf\xbd", 2 },
		{ "\xed\xa0\x80x", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx", 3 },
		{ "\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *clean;
		size_t size, replaced;

		ck_assert_int_eq(
			utf8_clean(cases[i].text, cases[i].size, &clean, &size, &replaced), 0);
		ck_assert_str_eq(clean, cases[i].clean);
		ck_assert_uint_eq(size, strlen(clean));
		ck_assert_uint_eq(replaced, cases[i].replaced);
		free(clean);
	}
	ck_assert_uint_eq(utf8_cut("a\xe2\x82\xac" "b", 5, 5), 5);
	ck_assert_uint_eq(utf8_cut("a\xe2\x82\xac" "b", 5, 4), 4);
	ck_assert_uint_eq(utf8_cut("a\xe2\x82\xac" "b", 5, 3), 1);
	ck_assert_uint_eq(utf8_cut("a\xe2\x82\xac" "b", 5, 2), 1);
	ck_assert_uint_eq(utf8_cut("a\xe2\x82\xac" "b", 5, 0), 0);
}
END_TEST

START_TEST(times)
{
	static const struct {
		const char *text;
		int64_t usec;
		const char *back;
	} cases[] = {
		{ "1970-01-01T00:00:00.000Z", 0, NULL },
		{ "2026-11-21T03:35:20.123Z", 1795232120123000, NULL },
		{ "2024-02-29T23:59:59.999Z", 1709251199999000, NULL },
		{ "1969-12-31T23:59:59.999Z", -1000, NULL },
		{ "0001-01-01T00:00:00.000Z", -62135596800000000, NULL },
		{ "9999-12-31T23:59:59.999Z", 253402300799999000, NULL },
		{ "2024-02-29T23:59:59.1234567Z", 1709251199123456, "2024-02-29T23:59:59.123Z" },
		{ "2024-03-01t01:59:59+02:00", 1709251199000000, "2024-02-29T23:59:59.000Z" },
		{ "1969-12-31T23:59:59.9996Z", -400, "1969-12-31T23:59:59.999Z" },
	};
	static const char *const wrong[] = {
		"", "now", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z",
		"2024-01-01T24:00:00Z", "2024-01-01", "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z",
		"2024-01-01T00:00:00ZZ", "2024-1-01T00:00:00Z", "0000-01-01T00:00:00Z",
		"0001-01-01T00:00:00+00:01", "2024-01-01T00:00:00+2:00", "+024-01-01T00:00:00Z",
	};
	char text[TIME_TEXT_SIZE];
	int64_t usec;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(time_parse(cases[i].text, &usec), 0);
		ck_assert_int_eq(usec, cases[i].usec);
		ck_assert_int_eq(time_format(usec, text), 0);
		ck_assert_str_eq(text, cases[i].back ? cases[i].back : cases[i].text);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(time_parse(wrong[i], &usec) == -EINVAL, "%s", wrong[i]);
	ck_assert_int_eq(time_format(INT64_MAX, text), -ERANGE);
	ck_assert_int_eq(time_format(INT64_MIN, text), -ERANGE);
}
END_TEST

START_TEST(every_day_of_four_centuries)
{
	char text[TIME_TEXT_SIZE];
	int64_t usec;

	for (int64_t day = -30000; day < 130000; day++) {
		if (time_format(day * INT64_C(86400000000), text) < 0 ||
		    time_parse(text, &usec) < 0 || usec != day * INT64_C(86400000000))
			ck_abort_msg("day %d", (int) day);
	}
}
END_TEST

START_TEST(money)
{
	static const struct {
		const char *text;
		int64_t nanodollars;
		const char *back;
	} cases[] = {
		{ "0", 0, NULL },
		{ "12.5", 12500000000, NULL },
		{ "0.000000001", 1, NULL },
		{ "-0.25", -250000000, NULL },
		{ "9223372036.854775807", INT64_MAX, NULL },
		{ "007.50", 7500000000, "7.5" },
		{ "1.0000000000000", 1000000000, "1" },
	};
	static const char *const wrong[] = { "", "-", ".5", "1.", "1e3", "1,5", " 1", "1 ", "+1",
					     "0.0000000001", "$1", "0x1", "NaN" };
	char text[MONEY_TEXT_SIZE];
	int64_t nanodollars;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(money_parse(cases[i].text, &nanodollars), 0);
		ck_assert_int_eq(nanodollars, cases[i].nanodollars);
		money_format(nanodollars, text);
		ck_assert_str_eq(text, cases[i].back ? cases[i].back : cases[i].text);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(money_parse(wrong[i], &nanodollars) == -EINVAL, "%s", wrong[i]);
	ck_assert_int_eq(money_parse("9223372036.854775808", &nanodollars), -ERANGE);
	ck_assert_int_eq(money_parse("99999999999999999999", &nanodollars), -ERANGE);
	money_format(INT64_MIN, text);
	ck_assert_str_eq(text, "-9223372036.854775808");
}
END_TEST

int main(void)
{
	return RUN_TESTS(arena_pieces, utf8_validity, utf8_cleaning, times,
			 every_day_of_four_centuries, money);
}
