/* Scores without a model: tables of cases, what agrees with the plain way of reckoning, and that hostile
 * inputs are refused before they take long. */
#include "daemon/work/judging/metrics/metric.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/hash.h"
#include "tests/unit/suite.h"

#define INVALID (-1)
#define TOO_LARGE (-2)

static struct arena arena;

static void setup(void)
{
	arena_init(&arena);
}

static void teardown(void)
{
	arena_done(&arena);
}

/* The score, or INVALID or TOO_LARGE. */
static double decide(const char *function, json_object *inputs, struct fault *fault)
{
	struct metric_score score = { .score = 99 };
	size_t steps;
	int r;

	*fault = (struct fault){ 0 };
	r = metric_decide(function, inputs, &arena, &score, &steps, fault);
	ck_assert_uint_le(steps, METRIC_STEPS_MAX);
	if (r < 0) {
		ck_assert_int_eq(r, fault->code);
		ck_assert_double_eq(score.score, 99);
		ck_assert_msg(r == ELLU_E_INVALID_PARAMETER || r == ELLU_E_TOO_LARGE, "%s: %s", function,
			      fault->message);
		return r == ELLU_E_TOO_LARGE ? TOO_LARGE : INVALID;
	}
	ck_assert_msg(score.score >= 0 && score.score <= 1, "%s: %f", function, score.score);
	ck_assert_ptr_nonnull(score.justification);
	return score.score;
}

static void expect(const char *function, const char *inputs, double expected)
{
	json_object *values = json_tokener_parse(inputs);
	struct fault fault;
	double found;

	ck_assert_msg(values != NULL, "%s", inputs);
	found = decide(function, values, &fault);
	ck_assert_msg(fabs(found - expected) < 1e-9, "%s %s: %.12f and not %.12f (%s)", function, inputs,
		      found, expected, fault.message);
	json_object_put(values);
}

#define RESPONSE(text) "{\"response\":\"" text "\"}"
#define OTHER(text, other) "{\"response\":\"" text "\",\"expected_output\":\"" other "\"}"

START_TEST(scores)
{
	static const struct {
		const char *function, *inputs;
		double score;
	} table[] = {
		{ "equals", OTHER("a", "a"), 1 },
		{ "equals", OTHER("a", "a "), 0 },
		{ "equals", OTHER("", ""), 1 },
		{ "equals", "{\"response\":\"42\",\"expected_output\":42}", 1 },
		{ "equals", RESPONSE("a"), INVALID },
		{ "equals", "{\"response\":\"a\",\"expected_output\":null}", INVALID },

		{ "contains_all", "{\"response\":\"red and blue\",\"words\":[\"red\",\"blue\"]}", 1 },
		{ "contains_all", "{\"response\":\"red\",\"words\":[\"red\",\"blue\"]}", 0.5 },
		{ "contains_all", "{\"response\":\"red, blue\",\"words\":\"red\\r\\n\\nblue\\n\"}", 1 },
		{ "contains_all", "{\"response\":\"\",\"words\":\"red\"}", 0 },
		{ "contains_all", "{\"response\":\"red\",\"words\":[]}", INVALID },
		{ "contains_all", "{\"response\":\"red\",\"words\":\"\\n\"}", INVALID },
		{ "contains_all", "{\"response\":\"red\",\"words\":[1]}", INVALID },
		{ "contains_all", RESPONSE("red"), INVALID },
		{ "contains_any", "{\"response\":\"red\",\"words\":[\"blue\",\"red\"]}", 1 },
		{ "contains_any", "{\"response\":\"red\",\"words\":[\"blue\",\"Red\"]}", 0 },
		{ "contains_none", "{\"response\":\"red\",\"words\":[\"blue\",\"green\"]}", 1 },
		{ "contains_none", "{\"response\":\"red\",\"words\":[\"red\",\"green\"]}", 0.5 },

		{ "starts_with", "{\"response\":\"Dear reader\",\"prefix\":\"Dear \"}", 1 },
		{ "starts_with", "{\"response\":\"dear reader\",\"prefix\":\"Dear \"}", 0 },
		{ "starts_with", "{\"response\":\"De\",\"prefix\":\"Dear \"}", 0 },
		{ "regex", "{\"response\":\"in 1984\",\"pattern\":\"\\\\b\\\\d{4}$\"}", 1 },
		{ "regex", "{\"response\":\"in 84\",\"pattern\":\"\\\\d{4}\"}", 0 },
		{ "regex", "{\"response\":\"a\",\"pattern\":\"(\"}", INVALID },

		{ "is_json", RESPONSE(" [1, 2] "), 1 },
		{ "is_json", RESPONSE("{\\\"a\\\": 1"), 0 },
		{ "is_json", RESPONSE("{\\\"a\\\":1,\\\"a\\\":2}"), 0 },
		{ "is_json", RESPONSE(""), 0 },
		{ "is_json", RESPONSE("```json\\n1\\n```"), 0 },
		{ "json_schema", "{\"response\":\"```json\\n[1]\\n```\",\"schema\":{\"type\":\"array\"}}", 1 },
		{ "json_schema", "{\"response\":\"{}\",\"schema\":\"{\\\"type\\\":\\\"array\\\"}\"}", 0 },
		{ "json_schema", "{\"response\":\"{\",\"schema\":{\"type\":\"array\"}}", 0 },
		{ "json_schema", "{\"response\":\"{}\",\"schema\":\"array\"}", INVALID },
		{ "json_schema", "{\"response\":\"{}\",\"schema\":\"1\"}", INVALID },

		{ "json_property_completeness", OTHER("{\\\"a\\\":1,\\\"b\\\":{\\\"c\\\":2}}",
						      "{\\\"a\\\":0,\\\"b\\\":{\\\"c\\\":0}}"), 1 },
		{ "json_property_completeness", OTHER("{\\\"b\\\":1}", "{\\\"a\\\":0,\\\"b\\\":{\\\"c\\\":0}}"),
		  1.0 / 3 },
		{ "json_property_completeness", OTHER("{\\\"a\\\":null}", "{\\\"a\\\":1}"), 1 },
		{ "json_property_completeness", OTHER("[{\\\"a\\\":1},{}]", "[{\\\"a\\\":1},{\\\"a\\\":2}]"), 0.5 },
		{ "json_property_completeness", OTHER("7", "{\\\"a\\\":1}"), 0 },
		{ "json_property_completeness", OTHER("a", "{\\\"a\\\":1}"), 0 },
		{ "json_property_completeness", OTHER("{\\\"a\\\":1}", "[]"), INVALID },
		{ "json_property_completeness", OTHER("{}", "a"), INVALID },
		{ "json_property_names", OTHER("{\\\"a\\\":1,\\\"x\\\":1}", "{\\\"a\\\":0}"), 0.5 },
		{ "json_property_names", OTHER("{\\\"a\\\":1}", "{\\\"a\\\":0,\\\"b\\\":0}"), 1 },
		{ "json_property_names", OTHER("{}", "{\\\"a\\\":0}"), 0 },
		{ "json_property_types", OTHER("{\\\"a\\\":1.5,\\\"b\\\":\\\"2\\\"}", "{\\\"a\\\":1,\\\"b\\\":2}"), 0.5 },
		{ "json_property_types", OTHER("{\\\"a\\\":null}", "{\\\"a\\\":null}"), 1 },
		{ "json_property_types", OTHER("{\\\"a\\\":[]}", "{\\\"a\\\":{}}"), 0 },

		{ "json_filled_values", RESPONSE("{\\\"a\\\":0,\\\"b\\\":false}"), 1 },
		{ "json_filled_values", RESPONSE("{\\\"a\\\":\\\" \\\",\\\"b\\\":[1,null,{}],\\\"c\\\":1}"), 0.4 },
		{ "json_filled_values", RESPONSE("null"), 0 },
		{ "json_filled_values", RESPONSE("[]"), 0 },
		{ "json_filled_values", RESPONSE("nothing"), 0 },

		{ "json_equals", OTHER("{\\\"a\\\":1.0,\\\"b\\\":[2]}", "{\\\"b\\\":[2],\\\"a\\\":1}"), 1 },
		{ "json_equals", OTHER("[1,2]", "[2,1]"), 0 },
		{ "json_equals", OTHER("null", "null"), 1 },
		{ "json_equals", OTHER("nil", "null"), 0 },
		{ "json_equals", "{\"response\":\"[1]\",\"expected_output\":[1]}", 1 },

		{ "length", "{\"response\":\"\u00e9\u00e9\",\"range\":\"2..2\"}", 1 },
		{ "length", "{\"response\":\"abcd\",\"range\":\"..2\"}", 0.5 },
		{ "length", "{\"response\":\"abc\",\"range\":\"4..\"}", 0.75 },
		{ "length", "{\"response\":\"\",\"range\":\"..0\"}", 1 },
		{ "length", "{\"response\":\"a\",\"range\":\"..0\"}", 0 },
		{ "length", "{\"response\":\"a\",\"range\":\"5\"}", INVALID },
		{ "word_count", "{\"response\":\" one  two\\nthree \",\"range\":\"3..3\"}", 1 },
		{ "word_count", "{\"response\":\"\",\"range\":\"2..\"}", 0 },

		{ "levenshtein", OTHER("kitten", "sitting"), 1 - 3.0 / 7 },
		{ "levenshtein", OTHER("", "abc"), 0 },
		{ "levenshtein", OTHER("", ""), 1 },
		{ "levenshtein", OTHER("\u00e9t\u00e9", "ete"), 1.0 / 3 },
		{ "levenshtein", OTHER("ab", "ba"), 0 },
		{ "bleu", OTHER("The cat sat.", "the CAT sat"), 1 },
		{ "bleu", OTHER("red", "blue"), 0 },
		{ "bleu", OTHER("", ""), 1 },
		{ "bleu", OTHER("", "a"), 0 },
		/* exp(1 - 8/7) * (6/7 * 5/7 * 3/6 * 2/5) ^ 1/4 */
		{ "bleu", OTHER("the cat sat on the old mat", "the cat sits on the old mat there"),
		  0.5127984735494304 },
		{ "rouge_l", OTHER("police killed the gunman", "police kill the gunman"), 0.75 },
		{ "rouge_l", OTHER("the gunman kill police", "police kill the gunman"), 0.5 },
		{ "rouge_l", OTHER("?", "!"), 1 },
		{ "rouge_l", OTHER("?", "a"), 0 },

		{ "latency", "{\"duration_seconds\":0.5,\"maximum_seconds\":1}", 1 },
		{ "latency", "{\"duration_seconds\":4,\"maximum_seconds\":\"1\"}", 0.25 },
		{ "latency", "{\"duration_seconds\":0,\"maximum_seconds\":0}", 1 },
		{ "latency", "{\"duration_seconds\":1,\"maximum_seconds\":0}", 0 },
		{ "latency", "{\"duration_seconds\":1,\"maximum_seconds\":-1}", INVALID },
		{ "latency", "{\"duration_seconds\":1,\"maximum_seconds\":\"soon\"}", INVALID },
		{ "latency", "{\"duration_seconds\":1,\"maximum_seconds\":\"1e999\"}", INVALID },
		{ "latency", "{\"duration_seconds\":1}", INVALID },
		{ "cost", "{\"cost\":\"0.0004\",\"maximum_cost\":\"0.0001\"}", 0.25 },
		{ "finish_reason", "{\"finish_reason\":\"stop\"}", 1 },
		{ "finish_reason", "{\"finish_reason\":\"tool_calls\"}", 1 },
		{ "finish_reason", "{\"finish_reason\":\"length\"}", 0 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		expect(table[i].function, table[i].inputs, table[i].score);
}
END_TEST

/* ---- As the plain way has it ---- */

#define TEXT_MAX 400

static void make_text(uint64_t *state, char *text, const char *between)
{
	size_t n = random_next(state) % (TEXT_MAX / 2), letters = 1 + random_next(state) % 6;

	*text = '\0';
	for (size_t i = 0; i < n; i++) {
		char piece[8];

		snprintf(piece, sizeof(piece), "%c%s", (char)('a' + random_next(state) % letters), between);
		strcat(text, piece);
	}
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t plain_distance(const char *a, const char *b)
{
	static size_t row[TEXT_MAX + 1];
	size_t n = strlen(b);

	for (size_t k = 0; k <= n; k++)
		row[k] = k;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t k = 1; k <= n; k++) {
			size_t above = row[k];

			row[k] = least(diagonal + (a[i - 1] != b[k - 1]), least(above, row[k - 1]) + 1);
			diagonal = above;
		}
	}
	return row[n];
}

/* Of texts whose every second byte is a blank. */
static size_t plain_common(const char *a, const char *b)
{
	static size_t row[TEXT_MAX + 1];
	size_t n = strlen(b) / 2;

	memset(row, 0, sizeof(row));
	for (size_t i = 0; a[2 * i]; i++) {
		size_t diagonal = 0;

		for (size_t k = 1; k <= n; k++) {
			size_t above = row[k];

			if (a[2 * i] == b[2 * k - 2])
				row[k] = diagonal + 1;
			else if (row[k - 1] > row[k])
				row[k] = row[k - 1];
			diagonal = above;
		}
	}
	return row[n];
}

static double decide_pair(const char *function, const char *response, const char *expected)
{
	json_object *inputs = json_object_new_object();
	struct fault fault;
	double score;

	json_object_object_add(inputs, "response", json_object_new_string(response));
	json_object_object_add(inputs, "expected_output", json_object_new_string(expected));
	score = decide(function, inputs, &fault);
	json_object_put(inputs);
	return score;
}

START_TEST(as_the_plain_way)
{
	char a[2 * TEXT_MAX], b[2 * TEXT_MAX];
	uint64_t state = 7;

	for (size_t i = 0; i < 300; i++) {
		size_t longer;

		make_text(&state, a, "");
		make_text(&state, b, "");
		longer = strlen(a) > strlen(b) ? strlen(a) : strlen(b);
		if (longer > 0)
			ck_assert_double_eq_tol(decide_pair("levenshtein", a, b),
						1 - (double)plain_distance(a, b) / (double)longer, 1e-12);
		make_text(&state, a, " ");
		make_text(&state, b, " ");
		longer = (strlen(a) + strlen(b)) / 2;
		if (longer > 0)
			ck_assert_double_eq_tol(decide_pair("rouge_l", a, b),
						2 * (double)plain_common(a, b) / (double)longer, 1e-12);
	}
}
END_TEST

/* ---- Hostile inputs ---- */

static char *repeat(const char *piece, size_t n)
{
	size_t size = strlen(piece);
	char *text = malloc(n * size + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(text + i * size, piece, size);
	text[n * size] = '\0';
	return text;
}

/* Long, and no two next to each other alike. */
static char *different_words(size_t n, uint64_t state)
{
	char *text = malloc(n * 8 + 1);

	for (size_t i = 0; i < n; i++)
		snprintf(text + i * 8, 9, "%07x ", (unsigned)(random_next(&state) & 0xfffffff));
	return text;
}

static void expect_bounded(const char *response, const char *other)
{
	static const char *const functions[] = {
		"equals", "contains_all", "contains_any", "contains_none", "starts_with", "regex",
		"is_json", "json_schema", "json_property_completeness", "json_property_names",
		"json_property_types", "json_filled_values", "json_equals", "length", "word_count",
		"levenshtein", "bleu", "rouge_l", "latency", "cost", "finish_reason",
	};
	static const char *const others[] = {
		"expected_output", "words", "prefix", "pattern", "schema", "range", "duration_seconds",
		"maximum_seconds", "cost", "maximum_cost", "finish_reason",
	};
	json_object *inputs = json_object_new_object();
	struct fault fault;

	json_object_object_add(inputs, "response", json_object_new_string(response));
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		json_object_object_add(inputs, others[i], json_object_new_string(other));
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		ck_assert(metric_is_known(functions[i]));
		decide(functions[i], inputs, &fault);
	}
	json_object_put(inputs);
}

START_TEST(hostile)
{
	char *texts[] = {
		repeat("", 0),
		repeat("a", 2 << 20),
		repeat("ab ", 700000),
		repeat("\n", 2 << 20),
		repeat("a\n", 900),
		repeat("[", 2 << 20),
		repeat("{\"a\":", 60),
		repeat("(a*)*", 200),
		repeat("\xff\xc3", 50000),
		different_words(100000, 1),
		different_words(100000, 2),
	};
	const size_t n = sizeof(texts) / sizeof(*texts);

	for (size_t i = 0; i < n; i++)
		for (size_t k = i; k < i + 2; k++) {
			expect_bounded(texts[i], texts[k % n]);
			arena_done(&arena);
		}
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
}
END_TEST

START_TEST(too_much)
{
	char *a = different_words(6000, 1), *b = different_words(6000, 2), *c = different_words(300000, 3);

	ck_assert_double_eq(decide_pair("levenshtein", a, b), TOO_LARGE);
	ck_assert_double_gt(decide_pair("levenshtein", a, a), 0.999);
	ck_assert_double_ge(decide_pair("rouge_l", a, b), 0);
	ck_assert_double_eq(decide_pair("bleu", c, c), TOO_LARGE);
	free(a);
	free(b);
	free(c);
}
END_TEST

/* Long words that a table of hashes has in one place, and that differ at their ends. */
static char *colliding_words(size_t n, size_t size)
{
	enum { SLOTS = 1 << 12, END = 8 };
	char *text = malloc(n * (size + 1) + 1), *at = text, *word = repeat("w", size);
	uint64_t tried = 0;

	while (n > 0) {
		snprintf(word + size - END, END + 1, "%08x", (unsigned)tried++);
		if (hash_bytes(0, word, size) & (SLOTS - 1))
			continue;
		at = stpcpy(stpcpy(at, word), " ");
		n--;
	}
	free(word);
	return text;
}

START_TEST(long_words_count)
{
	char *words = colliding_words(200, 1000);
	json_object *inputs = json_object_new_object();
	struct metric_score score;
	struct fault fault = { 0 };
	size_t steps;

	json_object_object_add(inputs, "response", json_object_new_string(words));
	json_object_object_add(inputs, "expected_output", json_object_new_string(words));
	ck_assert_int_eq(metric_decide("rouge_l", inputs, &arena, &score, &steps, &fault), 0);
	/* Each is looked at beside all that came before it. */
	ck_assert_uint_ge(steps, 200 * 200 * (1000 / 16));
	json_object_put(inputs);
	free(words);
}
END_TEST

int main(void)
{
	return RUN_TESTS_WITH(setup, teardown, scores, as_the_plain_way, hostile, too_much, long_words_count);
}
