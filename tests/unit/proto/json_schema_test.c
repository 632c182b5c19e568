/* Schemas: what fits them, what is told of what does not, and that hostile ones are given up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json/json_schema.h"
#include "proto/text/utf8.h"
#include "tests/unit/suite.h"

static struct schema_problem problem;

static enum schema_verdict check_texts(const char *schema_text, const char *value_text)
{
	json_object *schema = json_tokener_parse(schema_text), *value = NULL;
	json_tokener *tokener = json_tokener_new();
	enum schema_verdict verdict;

	value = json_tokener_parse_ex(tokener, value_text, (int)strlen(value_text) + 1);
	ck_assert_msg(json_tokener_get_error(tokener) == json_tokener_success, "%s", value_text);
	verdict = schema_check(schema, value, &problem);
	json_tokener_free(tokener);
	json_object_put(schema);
	json_object_put(value);
	return verdict;
}

static void expect(const char *schema, const char *value, const char *wanted)
{
	enum schema_verdict verdict = check_texts(schema, value);

	ck_assert_msg(verdict == (wanted ? SCHEMA_MISFITS : SCHEMA_FITS), "%s of %s: %d", value, schema, (int)verdict);
	if (wanted)
		ck_assert_str_eq(problem.text, wanted);
}

START_TEST(types)
{
	expect("{\"type\":\"string\"}", "\"a\"", NULL);
	expect("{\"type\":\"string\"}", "5", "expected a value of type \"string\", not 5");
	expect("{\"type\":\"integer\"}", "5", NULL);
	expect("{\"type\":\"integer\"}", "5.0", NULL);
	expect("{\"type\":\"integer\"}", "5.5", "expected a value of type \"integer\", not 5.5");
	expect("{\"type\":\"number\"}", "5", NULL);
	expect("{\"type\":\"boolean\"}", "null", "expected a value of type \"boolean\", not null");
	expect("{\"type\":\"null\"}", "null", NULL);
	expect("{\"type\":\"array\"}", "{}", "expected a value of type \"array\", not an object");
	expect("{\"type\":[\"string\",\"null\"]}", "null", NULL);
	expect("{\"type\":[\"string\",\"null\"]}", "true", "expected a value of another type than true");
	expect("{\"type\":\"shoe\"}", "true", NULL);
	expect("{\"type\":7}", "true", NULL);
	expect("{}", "[1]", NULL);
	expect("true", "[1]", NULL);
	expect("false", "[1]", "nothing may stand there");
	expect("{\"type\":\"string\"}", "[\"a\"]", "expected a value of type \"string\", not an array");
}
END_TEST

START_TEST(objects)
{
	static const char person[] = "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"age\":"
				     "{\"type\":\"integer\",\"minimum\":0,\"maximum\":150}},\"required\":[\"name\",\"age\"],"
				     "\"additionalProperties\":false}";

	expect(person, "{\"name\":\"A\",\"age\":5}", NULL);
	expect(person, "{\"name\":\"A\"}", "age: it is required and missing");
	expect(person, "{\"name\":\"A\",\"age\":-1}", "age: -1 is below its minimum of 0");
	expect(person, "{\"name\":\"A\",\"age\":1000}", "age: 1000 is above its maximum of 150");
	expect(person, "{\"name\":\"A\",\"age\":5,\"x\":1}", "x: there is no such property");
	expect("{\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"integer\"}}", "{\"a\":\"x\",\"b\":1}", NULL);
	expect("{\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"integer\"}}", "{\"b\":{\"c\":1}}",
	       "b: expected a value of type \"integer\", not an object");
	expect("{\"additionalProperties\":false,\"patternProperties\":{\"x\":{}}}", "{\"x\":1}", NULL);
	expect("{\"minProperties\":2}", "{\"a\":1}", "a number of properties of 1 is below its minProperties of 2");
	expect("{\"required\":[\"a\"]}", "5", NULL);
}
END_TEST

START_TEST(arrays)
{
	expect("{\"items\":{\"type\":\"integer\"}}", "[1,2,3]", NULL);
	expect("{\"items\":{\"type\":\"integer\"}}", "[1,\"b\"]", "[1]: expected a value of type \"integer\", not \"b\"");
	expect("{\"properties\":{\"l\":{\"items\":{\"required\":[\"n\"]}}}}", "{\"l\":[{\"n\":1},{}]}",
	       "l[1].n: it is required and missing");
	expect("{\"minItems\":2}", "[1]", "a number of items of 1 is below its minItems of 2");
	expect("{\"maxItems\":2}", "[1,2,3]", "a number of items of 3 is above its maxItems of 2");
	expect("{\"prefixItems\":[{\"const\":1}],\"items\":false}", "[1]", NULL);
	expect("{\"prefixItems\":[{\"const\":1}],\"items\":false}", "[1,2]", "[1]: nothing may stand there");
	expect("{\"uniqueItems\":true}", "[1,[2],{\"a\":[2]},[3]]", NULL);
	expect("{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1.0}]", "[1]: it stands there twice");
}
END_TEST

START_TEST(values)
{
	expect("{\"enum\":[\"a\",1,null]}", "1.0", NULL);
	expect("{\"enum\":[\"a\",1,null]}", "null", NULL);
	expect("{\"enum\":[\"a\",1,null]}", "\"b\"", "\"b\" is none of the values of its enum");
	expect("{\"const\":{\"a\":[1]}}", "{\"a\":[1]}", NULL);
	expect("{\"const\":true}", "false", "expected true, not false");
	expect("{\"const\":null}", "0", "expected null, not 0");
	expect("{\"minLength\":2,\"maxLength\":3}", "\"\xc3\xa9\xc3\xa9\"", NULL);
	expect("{\"minLength\":2}", "\"\xc3\xa9\"", "a length of 1 is below its minLength of 2");
	expect("{\"pattern\":\"^[a-z]+$\"}", "\"abc\"", NULL);
	expect("{\"pattern\":\"^[a-z]+$\"}", "\"a1\"", "the text does not match its pattern \"^[a-z]+$\"");
	expect("{\"pattern\":\"(?<=a)b\"}", "\"c\"", NULL); // not one of ours
	expect("{\"exclusiveMinimum\":0}", "0", "0 is not above its exclusiveMinimum");
	expect("{\"exclusiveMaximum\":1}", "0.5", NULL);
	expect("{\"exclusiveMaximum\":true,\"maximum\":1}", "1", NULL); // of an old draft
	expect("{\"format\":\"date\",\"multipleOf\":3,\"title\":1}", "\"x\"", NULL);
}
END_TEST

START_TEST(combinations)
{
	static const char shapes[] = "{\"anyOf\":[{\"type\":\"object\",\"properties\":{\"r\":{\"type\":\"number\"}}},"
				     "{\"type\":\"null\"}]}";
	static const char tree[] = "{\"$defs\":{\"a/b~\":{\"type\":\"object\",\"properties\":{\"kids\":{\"items\":"
				   "{\"$ref\":\"#/$defs/a~1b~0\"}},\"n\":{\"type\":\"integer\"}},\"required\":[\"n\"]}},"
				   "\"$ref\":\"#/$defs/a~1b~0\"}";

	expect(shapes, "{\"r\":1}", NULL);
	expect(shapes, "null", NULL);
	expect(shapes, "7", "it fits none of its anyOf");
	expect(shapes, "{\"r\":\"wide\"}", "r: expected a value of type \"number\", not \"wide\"");
	expect("{\"oneOf\":[{\"minimum\":1},{\"maximum\":5}]}", "3", "it fits several of its oneOf");
	expect("{\"oneOf\":[{\"minimum\":1},{\"maximum\":5}]}", "7", NULL);
	expect("{\"allOf\":[{\"minimum\":1},{\"maximum\":5}]}", "7", "7 is above its maximum of 5");
	expect("{\"not\":{\"type\":\"string\"}}", "\"a\"", "it is what its schema excludes");
	expect("{\"not\":{\"type\":\"string\"}}", "1", NULL);
	expect(tree, "{\"n\":1,\"kids\":[{\"n\":2,\"kids\":[{\"n\":3}]}]}", NULL);
	expect(tree, "{\"n\":1,\"kids\":[{\"n\":2,\"kids\":[{\"m\":3}]}]}", "kids[0].kids[0].n: it is required and missing");
	expect("{\"$ref\":\"https://elsewhere/x\"}", "1", NULL);
	expect("{\"$ref\":\"#/nowhere\"}", "1", NULL);
}
END_TEST

/* Nothing that is asked for takes for ever, overflows the stack, or is cut in a character. */
START_TEST(what_is_given_up)
{
	static char text[400000], schema[20000];
	size_t n = 0;

	ck_assert_int_eq(check_texts("{\"$ref\":\"#\"}", "1"), SCHEMA_GIVEN_UP);
	ck_assert_int_eq(check_texts("{\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/$defs/a\"},{\"$ref\":\"#/$defs/a\"}]}},"
				     "\"$ref\":\"#/$defs/a\"}", "1"), SCHEMA_GIVEN_UP);
	/* Two each, thirty deep. */
	n = (size_t)snprintf(schema, sizeof(schema), "{\"$defs\":{\"l0\":{\"type\":\"string\"}");
	for (int i = 1; i <= 30; i++)
		n += (size_t)snprintf(schema + n, sizeof(schema) - n, ",\"l%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/l%d\"},"
				      "{\"$ref\":\"#/$defs/l%d\"}]}", i, i - 1, i - 1);
	snprintf(schema + n, sizeof(schema) - n, "},\"$ref\":\"#/$defs/l30\"}");
	ck_assert_int_eq(check_texts(schema, "1"), SCHEMA_GIVEN_UP);
	text[0] = '[';
	for (n = 1; n < 100000; n += 5)
		snprintf(text + n, 6, "\"%02zu\",", n / 5 % 90 + 10);
	memcpy(text + n, "1]", 3);
	ck_assert_int_eq(check_texts("{\"uniqueItems\":true}", text), SCHEMA_MISFITS);
	for (n = 1; n < 100000; n += 7)
		snprintf(text + n, 8, "%06zu,", n / 7 + 100000);
	memcpy(text + n, "1]", 3);
	ck_assert_int_eq(check_texts("{\"uniqueItems\":true}", text), SCHEMA_GIVEN_UP);
	/* A problem ends with a whole character, wherever it is cut. */
	for (size_t pad = 0; pad < 4; pad++) {
		n = (size_t)snprintf(text, sizeof(text), "{\"%.*s", (int)pad, "xxxx");
		for (int i = 0; i < 300; i++, n += 2)
			memcpy(text + n, "\xc3\xa9", 2);
		snprintf(text + n, sizeof(text) - n, "\":\"\xc3\xa9\xc3\xa9\xc3\xa9\"}");
		ck_assert_int_eq(check_texts("{\"additionalProperties\":{\"type\":\"null\"}}", text), SCHEMA_MISFITS);
		ck_assert_msg(utf8_valid(problem.text, strlen(problem.text), NULL), "%s", problem.text);
	}
}
END_TEST

START_TEST(values_in_texts)
{
	static const struct {
		const char *text, *value;
	} cases[] = {
		{ "{\"a\":1}", "{\"a\":1}" }, { " \n[1] \r\n", "[1]" }, { "```json\n{\"a\":1}\n```\n", "{\"a\":1}" },
		{ "```\n5\n```", "5" }, { "```json\n{", "```json\n{" }, { "```", "```" }, { "``````", "``````" },
		{ "```a```", "```a```" }, { "```\n```", "" }, { "", "" }, { "Sure: 5", "Sure: 5" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *value;
		size_t size;

		schema_find_value(cases[i].text, strlen(cases[i].text), &value, &size);
		ck_assert_msg(size == strlen(cases[i].value) && memcmp(value, cases[i].value, size) == 0, "%s: %.*s",
			      cases[i].text, (int)size, value);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS(types, objects, arrays, values, combinations, what_is_given_up, values_in_texts);
}
