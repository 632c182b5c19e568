/* Validators: what an answer passes, and what is asked for again, and how. */
#include "daemon/work/judging/validation.h"

#include <string.h>

#include "tests/unit/suite.h"

#define NO_SCORE (-1)

static struct arena arena;

static void setup(void)
{
	arena_init(&arena);
}

static void teardown(void)
{
	arena_done(&arena);
}

static struct ellu_validator_result *judged(const char *name, double threshold, double score, const char *why)
{
	struct ellu_validator_result *made = arena_alloc(&arena, sizeof(*made));

	*made = ELLU_RECORD(struct ellu_validator_result);
	made->evaluator_name = name;
	made->threshold = threshold;
	made->result = score == NO_SCORE ? NULL : arena_float(&arena, score);
	made->justification = why;
	validation_decide(made);
	return made;
}

START_TEST(thresholds)
{
	static const struct {
		double threshold, score;
		int valid;
		const char *status;
	} table[] = {
		{ 0.5, 0.5, true, "finished" },
		{ 0.5, 0.499999, false, "finished" },
		{ 0.5, 1, true, "finished" },
		{ 1, 1, true, "finished" },
		{ 1, 0.99, false, "finished" },
		{ 0.5, 0, false, "finished" },
		/* An observer never fails. */
		{ 0, 0, true, "finished" },
		{ 0, NO_SCORE, true, "failed" },
		{ 0.1, NO_SCORE, false, "failed" },
		{ 1, NO_SCORE, false, "failed" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const struct ellu_validator_result *result = judged("A", table[i].threshold, table[i].score, NULL);

		ck_assert_msg(result->is_valid == table[i].valid, "%zu", i);
		ck_assert_str_eq(result->status, table[i].status);
	}
}
END_TEST

START_TEST(all_of_them)
{
	const struct ellu_validator_result *high = judged("A", 0.5, 0.9, NULL), *low = judged("B", 0.5, 0.1, NULL);
	const struct ellu_validator_result *down = judged("C", 0.5, NO_SCORE, NULL);
	const struct ellu_validator_result *observer = judged("D", 0, 0, NULL);
	const struct {
		const struct ellu_validator_result *results[3];
		size_t n;
		bool valid, may_improve;
	} table[] = {
		{ { NULL }, 0, true, false },
		{ { high }, 1, true, false },
		{ { high, observer }, 2, true, false },
		{ { low }, 1, false, true },
		{ { high, low, observer }, 3, false, true },
		/* Nothing is known to be wrong with the answer. */
		{ { high, down }, 2, false, false },
		{ { high, down, low }, 3, false, true },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		ck_assert_msg(validation_is_valid(table[i].results, table[i].n) == table[i].valid, "%zu", i);
		ck_assert_msg(validation_may_improve(table[i].results, table[i].n) == table[i].may_improve, "%zu", i);
	}
}
END_TEST

START_TEST(next_question)
{
	const struct ellu_message asked = { .struct_size = sizeof(asked), .role = "user", .content = "Say it." };
	const struct ellu_message *const messages[] = { &asked }, *const *again;
	const struct ellu_validator_result *const results[] = {
		judged("Clarity", 0.7, 0.25, "It rambles."),
		judged("Politeness", 0.5, 0.75, "It is polite."),
		judged("Relevance", 0.5, NO_SCORE, NULL),
		judged("Formality", 0.5, 0, NULL),
		judged("Length", 0, 0, "Observed."),
	};
	size_t n;

	ck_assert_int_eq(validation_ask_again(messages, 1, "It.", results, 5, &arena, &again, &n), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_ptr_eq(again[0], &asked);
	ck_assert_str_eq(again[1]->role, "assistant");
	ck_assert_str_eq(again[1]->content, "It.");
	ck_assert_str_eq(again[2]->role, "user");
	ck_assert_str_eq(again[2]->content,
			 "That answer is not good enough yet. From 0 to 1, it was judged:\n"
			 "- Clarity: 0.25, where at least 0.70 is needed. It rambles.\n"
			 "- Formality: 0.00, where at least 0.50 is needed\n"
			 "Answer the request again so that this is mended, and with the answer alone.");
}
END_TEST

/* What models say at length is cut at a character. */
START_TEST(bounds)
{
	const struct ellu_message *const *again;
	char *text = arena_alloc(&arena, 1000001);
	const struct ellu_validator_result *result;
	size_t n;

	for (size_t i = 0; i < 1000000; i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	text[1000000] = '\0';
	result = judged("A", 0.5, 0.1, text);
	ck_assert_int_eq(validation_ask_again(NULL, 0, text + 2, &result, 1, &arena, &again, &n), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(strlen(again[0]->content), 64 << 10);
	ck_assert_uint_lt(strlen(again[1]->content), 5000);
	ck_assert_ptr_nonnull(strstr(again[1]->content, "\xc3\xa4\nAnswer"));
}
END_TEST

int main(void)
{
	return RUN_TESTS_WITH(setup, teardown, thresholds, all_of_them, next_question, bounds);
}
