/* Regular expressions: what is found, what is refused, and how long it may take. */
#include "proto/text/regex.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/suite.h"

static int find(const char *pattern, const char *text, bool *ret_found)
{
	const char *expected;
	size_t steps;
	int r = regex_find(pattern, text, ret_found, &steps, &expected);

	ck_assert_msg(r == 0 || r == -E2BIG, "%s: expected %s", pattern, expected ? expected : "?");
	ck_assert_uint_gt(steps, 0);
	return r;
}

START_TEST(found)
{
	static const struct {
		const char *pattern, *in, *not_in;
	} table[] = {
		{ "", "", NULL },
		{ "b", "abc", "ac" },
		{ "a.c", "xabc", "a\nc" },
		{ ".", "\u00e9", "\n" },
		{ "^..$", "\u00e9\u00e9", "\u00e9" },
		{ "^abc$", "abc", "abcd" },
		{ "^abc$", "abc\n", "abc\n\n" },
		{ "^$", "", "a" },
		{ "a$b", NULL, "ab" },
		{ "[a-c]x", "bx", "dx" },
		{ "[^a-c]x", "\u00e9x", "bx" },
		{ "[]a]", "]", "b" },
		{ "[^]a]", "b", "]" },
		{ "[a-]", "-", "b" },
		{ "[\\d_]", "_", "a" },
		{ "[^\\W]", "a", "-" },
		{ "[\\D]", "\u00e9", "1" },
		{ "[\u00e9-\u00fc]", "\u00f1", "\u00e0" },
		{ "[^\u00e9-\u00fc]", "\u00e0", "\u00f1" },
		{ "\\d\\D\\w\\W\\s\\S", "1a_- x", "1a_-xx" },
		{ "\\w", "_", "\u00e9" },
		{ "\\bcat\\b", "the cat.", "concat" },
		{ "\\Bcat", "concat", "cat" },
		{ "\\Bb\\B", "abc", "ab" },
		{ "cat|dog|", "", NULL },
		{ "^(cat|dog)s?$", "dogs", "cats and dogs" },
		{ "^(?:ab)+$", "abab", "aba" },
		{ "^a*$", "", "b" },
		{ "^a+?$", "aaa", "" },
		{ "^a??b", "ab", "aab" },
		{ "^a{2}$", "aa", "aaa" },
		{ "^a{2,}$", "aaaa", "a" },
		{ "^a{,2}$", "", "aaa" },
		{ "^a{2,3}?$", "aaa", "aaaa" },
		{ "^(ab|c){2,3}$", "abcab", "abcabc" },
		{ "^(a{0}b){2}$", "bb", "abab" },
		{ "^((a|b)*c)*$", "abcc", "abcca" },
		{ "^(a*)*$", "aaa", "b" },
		{ "^(|a)+b", "aab", "ca" },
		{ "a{x}{", "a{x}{", "ax" },
		{ "a]}", "a]}", "a" },
		{ "\\.\\*\\\\\\[", ".*\\[", "a*\\[" },
		{ "\\n\\t\\r\\f\\v", "\n\t\r\f\v", "ntrfv" },
		{ "(?i)paris", "PaRiS", "pari" },
		{ "(?i)[^a-c]", "D", "ABCabc" },
		{ "(?i)[X-Z]", "y", "a" },
		{ "a(?:^|b)", "ab", "a" },
		{ "(^a|b)c", "bc", "xac" },
		{ "^\\d{4}-\\d\\d-\\d\\d$", "2024-02-29", "2024-2-29" },
	};
	bool yes;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const char *pattern = table[i].pattern;

		if (table[i].in)
			ck_assert_msg(find(pattern, table[i].in, &yes) == 0 && yes, "%s", pattern);
		if (table[i].not_in)
			ck_assert_msg(find(pattern, table[i].not_in, &yes) == 0 && !yes, "%s", pattern);
	}
}
END_TEST

START_TEST(refused)
{
	static const struct {
		const char *pattern, *expected;
	} table[] = {
		{ "(a)\\1", "backreferences" },
		{ "a(?=b)", "lookaround" },
		{ "a(?!b)", "lookaround" },
		{ "(?<=a)b", "lookaround" },
		{ "(?<!a)b", "lookaround" },
		{ "(?P<x>a)", "(?...)" },
		{ "a(?i)", "(?...)" },
		{ "(?", "(?...)" },
		{ "(a", "closed" },
		{ "a)", "opened" },
		{ "[a", "closed" },
		{ "[]", "closed" },
		{ "[z-a]", "ranges" },
		{ "[[:alpha:]]", "[:names:]" },
		{ "a\\", "backslash" },
		{ "[\\", "backslash" },
		{ "\\A", "escapes" },
		{ "[\\b]", "escapes" },
		{ "*a", "to repeat" },
		{ "a|+", "to repeat" },
		{ "({2})", "to repeat" },
		{ "^*", "to repeat" },
		{ "\\b+", "to repeat" },
		{ "a**", "to repeat" },
		{ "a{1000}{1000}", "to repeat" },
		{ "a{3,2}", "lower number" },
		{ "a{1001}", "1000 times" },
		{ "a{99999999999999999999}", "1000 times" },
		{ "(a{1000}){1000}", "smaller" },
		{ "((((a{10}){10}){10}){10}){10}", "smaller" },
	};
	const char *expected;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		ck_assert_int_eq(regex_check(table[i].pattern, &expected), 0);
		ck_assert_msg(expected && strstr(expected, table[i].expected), "%s: %s", table[i].pattern,
			      expected ? expected : "taken");
	}
}
END_TEST

static char *times(const char *text, size_t n)
{
	size_t length = strlen(text);
	char *made = malloc(n * length + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(made + i * length, text, length);
	made[n * length] = '\0';
	return made;
}

/* The largest of everything, and one more. */
START_TEST(bounds)
{
	static const struct {
		const char *before, *middle, *after;
		size_t n;
	} table[] = {
		{ "", "\u00e9", "", REGEX_CHARS_MAX },
		{ "", ".", "", REGEX_CHARS_MAX },
		{ "", "\\D", "", REGEX_CHARS_MAX / 2 },
		{ "[", "\u00e9", "]", REGEX_CHARS_MAX - 2 },
		{ "a{1000}a{1000}a{1000}a{500}", "a", "", REGEX_CODE_MAX - 3500 - 1 },
	};
	const char *expected;
	char pattern[3 * REGEX_CHARS_MAX];

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		for (size_t more = 0; more < 2; more++) {
			char *middle = times(table[i].middle, table[i].n + more);

			snprintf(pattern, sizeof(pattern), "%s%s%s", table[i].before, middle, table[i].after);
			ck_assert_int_eq(regex_check(pattern, &expected), 0);
			ck_assert_msg(!expected == !more, "%zu, %zu", i, more);
			free(middle);
		}
	for (size_t depth = REGEX_DEPTH_MAX; depth <= REGEX_DEPTH_MAX + 1; depth++) {
		char *open = times("(", depth), *close = times(")*", depth);

		snprintf(pattern, sizeof(pattern), "%sa%s", open, close);
		ck_assert_int_eq(regex_check(pattern, &expected), 0);
		ck_assert(!expected == (depth == REGEX_DEPTH_MAX));
		free(open);
		free(close);
	}
}
END_TEST

/* What others take years for; steps are counted, whatever the machine. */
START_TEST(hostile)
{
	static const struct {
		const char *pattern, *text;
		size_t n;
		int r;
	} table[] = {
		{ "((a*)*)*b", "a", 100000, 0 },
		{ "(a|a)*b", "a", 100000, 0 },
		{ "(a|aa)+$b", "a", 100000, 0 },
		{ "^(\\w+\\s?)*$", "word !", 10000, 0 },
		{ "(a?){1000}a{1000}b", "a", 1000, 0 },
		{ "(x+x+)+y", "x", 100000, 0 },
		{ "a{1000}b", "a", 2u << 20, -E2BIG },
		{ "[\u00e9\u00e8\u00ea\u00eb\u00e0\u00f9]{500}b", "\u00f9", 1u << 20, -E2BIG },
		{ "needle", "hay ", (2u << 20) / 4, 0 },
		{ ".*needle", "hay ", (2u << 20) / 4, 0 },
		{ "\\bneedle\\b", "\u00e9\u00e9", (2u << 20) / 4, 0 },
		{ "^[^x]+x$", "a", 2u << 20, 0 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char *text = times(table[i].text, table[i].n);
		bool yes = false;

		ck_assert_msg(find(table[i].pattern, text, &yes) == table[i].r, "%s", table[i].pattern);
		ck_assert(!yes);
		free(text);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS(found, refused, bounds, hostile);
}
