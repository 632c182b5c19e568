#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "tests/unit/suite.h"

static const char *const accepted[] = {
	"{}", "[]", " [ ] ", "\"\"", "0", "-0", "1", "-1.5", "1e5", "1E+5", "1e-400", "0.0",
	"true", "false", "null", "\t\r\n {\"a\" : [1 , 2]}\n", "9007199254740992",
	"-9007199254740992", "1.5e308", "[[[[]]]]", "{\"\":1}", "{\"a\":{\"a\":{\"a\":1}}}",
	"[{\"a\":1},{\"a\":1}]", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\"", "\"\\ud83d\\ude00\"",
	"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"", "\"\x7f\"", "{\"a\":1,\"A\":2,\"\\u0061b\":3}",
	"0.00000000000000000000000001", "9007199254740993.0", "123456789012345678901234567890.5",
};

#define NO_VALUE \
	"a value expected: null, true, false, a number, [, {, or a string in double quotes"

static const struct {
	const char *text;
	size_t size; // 0: strlen
	size_t offset;
	const char *reason;
} refused[] = {
	{ "", 0, 0, "the text ends too early" },
	{ "  ", 0, 2, "the text ends too early" },
	{ "{", 0, 1, "the text ends too early" },
	{ "[1,", 0, 3, "the text ends too early" },
	{ "{\"a\":", 0, 5, "the text ends too early" },
	{ "[1,]", 0, 2, "trailing comma" },
	{ "[,1]", 0, 1, NO_VALUE },
	{ "{\"a\":1,}", 0, 6, "trailing comma" },
	{ "{,}", 0, 1, "key in double quotes expected" },
	{ "{a:1}", 0, 1, "key in double quotes expected" },
	{ "{'a':1}", 0, 1, "key in double quotes expected" },
	{ "['a']", 0, 1, NO_VALUE },
	{ "{\"a\" 1}", 0, 5, "':' expected" },
	{ "[1 2]", 0, 3, "',' or ']' expected" },
	{ "[1}", 0, 2, "',' or ']' expected" },
	{ "{\"a\":1 \"b\":2}", 0, 7, "',' or '}' expected" },
	{ "[1, \n ]", 0, 2, "trailing comma" },
	{ "[1,}", 0, 3, NO_VALUE },
	{ "{\"a\":}", 0, 5, NO_VALUE },
	{ "]", 0, 0, NO_VALUE },
	{ "{} {}", 0, 3, "text behind the end" },
	{ "1 x", 0, 2, "text behind the end" },
	{ "{}\0", 3, 2, "text behind the end" },
	{ "// a\n{}", 0, 0, NO_VALUE },
	{ "/* a */{}", 0, 0, NO_VALUE },
	{ "\xef\xbb\xbf{}", 0, 0, NO_VALUE },
	{ "NaN", 0, 0, NO_VALUE },
	{ "[Infinity]", 0, 1, NO_VALUE },
	{ "[-Infinity]", 0, 1, "bad number" },
	{ "True", 0, 0, NO_VALUE },
	{ "nul", 0, 0, NO_VALUE },
	{ "01", 0, 0, "bad number" },
	{ "-", 0, 0, "bad number" },
	{ "+1", 0, 0, NO_VALUE },
	{ ".5", 0, 0, NO_VALUE },
	{ "1.", 0, 0, "bad number" },
	{ "1e", 0, 0, "bad number" },
	{ "0x10", 0, 1, "text behind the end" },
	{ "9007199254740993", 0, 0, "integer beyond 2^53" },
	{ "-9007199254740993", 0, 0, "integer beyond 2^53" },
	{ "[99999999999999999999999999]", 0, 1, "integer beyond 2^53" },
	{ "1e309", 0, 0, "number beyond 1e308" },
	{ "1e99999999999999999999", 0, 0, "number beyond 1e308" },
	{ "\"a", 0, 0, "unterminated string" },
	{ "\"\\", 0, 1, "bad escape in a string" },
	{ "\"\\x41\"", 0, 1, "bad escape in a string" },
	{ "\"\\u12g4\"", 0, 1, "bad escape in a string" },
	{ "\"\\u12", 0, 1, "bad escape in a string" },
	{ "\"a\nb\"", 0, 2, "control character in a string" },
	{ "\"a\0b\"", 5, 2, "control character in a string" },
	{ "\"\\u0000\"", 0, 1, "NUL character in a string" },
	{ "\"\\ud800\"", 0, 1, "lone surrogate in a string" },
	{ "\"\\udc00\"", 0, 1, "lone surrogate in a string" },
	{ "\"\\ud800\\u0041\"", 0, 1, "lone surrogate in a string" },
	{ "\"\\ud800x\"", 0, 1, "lone surrogate in a string" },
	{ "\"\xff\"", 0, 1, "invalid UTF-8" },
	{ "\"\xc3\"", 0, 1, "invalid UTF-8" },
	{ "\"\xed\xa0\x80\"", 0, 1, "invalid UTF-8" },
	{ "{\"a\":1,\"a\":2}", 0, 7, "duplicate key" },
	{ "{\"a\":1,\"\\u0061\":2}", 0, 7, "duplicate key" },
	{ "{\"\\n\":1,\"x\":2,\"\\u000a\":2}", 0, 14, "duplicate key" },
	{ "{\"\xf0\x9f\x98\x80\":1,\"\\uD83D\\ude00\":2}", 0, 10, "duplicate key" },
	{ "[{\"x\":{\"b\":1,\"c\":[{\"b\":2}],\"b\":3}}]", 0, 27, "duplicate key" },
};

START_TEST(conformance)
{
	struct json_problem problem;

	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		json_object *json = NULL;
		struct fault fault = { 0 };

		ck_assert_msg(json_check(accepted[i], strlen(accepted[i]), &problem) == 0, "%s",
			      accepted[i]);
		ck_assert_msg(json_parse_strict(accepted[i], strlen(accepted[i]), &json,
						&fault) == 0,
			      "%s: %s", accepted[i], fault.message);
		json_object_put(json);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		size_t size = refused[i].size ? refused[i].size : strlen(refused[i].text);

		ck_assert_msg(json_check(refused[i].text, size, &problem) == -EBADMSG, "%s",
			      refused[i].text);
		ck_assert_msg(strcmp(problem.reason, refused[i].reason) == 0, "%s: %s",
			      refused[i].text, problem.reason);
		ck_assert_msg(problem.offset == refused[i].offset, "%s: %zu", refused[i].text,
			      problem.offset);
	}
}
END_TEST

/* Each start of a valid text is refused, whatever it ends in. */
START_TEST(truncation)
{
	static const char text[] = "{\"a\":[1,-2.5e3,\"\\ud83d\\ude00\xc3\xa4\",true,null,{}]}";
	struct json_problem problem;

	for (size_t size = 0; size < sizeof(text) - 1; size++) {
		char *copy = malloc(size + 1); // so that a sanitizer sees a read behind it

		memcpy(copy, text, size);
		ck_assert_int_eq(json_check(copy, size, &problem), -EBADMSG);
		ck_assert_uint_le(problem.offset, size);
		free(copy);
	}
	ck_assert_int_eq(json_check(text, sizeof(text) - 1, &problem), 0);
}
END_TEST

static char *nested(size_t depth)
{
	char *text = malloc(2 * depth + 1);

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	text[2 * depth] = '\0';
	return text;
}

START_TEST(depth)
{
	struct json_problem problem;
	struct fault fault = { 0 };
	json_object *json = NULL;
	char *text = nested(JSON_DEPTH_MAX);

	ck_assert_int_eq(json_parse_strict(text, strlen(text), &json, &fault), 0);
	json_object_put(json);
	free(text);
	text = nested(JSON_DEPTH_MAX + 1);
	ck_assert_int_eq(json_parse_strict(text, strlen(text), &json, &fault),
			 ELLU_E_INVALID_MESSAGE);
	ck_assert_str_eq(fault.message, "nested too deeply");
	ck_assert_int_eq(fault.number, JSON_DEPTH_MAX);
	free(text);
	ck_assert_uint_eq(json_depth("1", 1), 0);
	ck_assert_uint_eq(json_depth("[{\"[{\\\"[\":[]},{}]", 16), 3);
	ck_assert_uint_eq(json_depth("]]}[", 4), 1);
	text = nested(10000);
	ck_assert_int_eq(json_check(text, strlen(text), &problem), -EBADMSG);
	free(text);
}
END_TEST

/* Sixteen MiB of keys, all different but the last: must end within the test's time. */
START_TEST(many_keys)
{
	char *text = malloc(MESSAGE_SIZE_MAX), *end = text;
	struct json_problem problem;
	size_t n = 0;

	*end++ = '{';
	for (; n < JSON_VALUES_MAX - 2; n++)
		end += sprintf(end, "\"%zx\":0,", n);
	strcpy(end, "\"a\":1}");
	ck_assert_int_eq(json_check(text, strlen(text), &problem), -EBADMSG);
	ck_assert_str_eq(problem.reason, "duplicate key");
	ck_assert_uint_eq(problem.offset, (size_t) (end - text));
	strcpy(end, "\"zz\":1}");
	ck_assert_int_eq(json_check(text, strlen(text), &problem), 0);
	strcpy(end, "\"zz\":[1]}");
	ck_assert_int_eq(json_check(text, strlen(text), &problem), -EBADMSG);
	ck_assert_str_eq(problem.reason, "too many values");
	free(text);
}
END_TEST

START_TEST(weights)
{
	ck_assert_uint_eq(json_weight("{\"a,[{\\\"\":1,\"b\":[2,3]}"), 5 * VALUE_BYTES);
	ck_assert_uint_eq(json_weight("7"), VALUE_BYTES);
	ck_assert_uint_eq(json_weight("[1,2,3]"), 4 * VALUE_BYTES);
	ck_assert_uint_eq(json_weight("\"0123456789012345678901234567890123456789"
				      "0123456789012345678901234567\""),
			  70);
}
END_TEST

int main(void)
{
	return RUN_TESTS(conformance, truncation, depth, many_keys, weights);
}
