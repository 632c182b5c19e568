/* The simulated model's text: the same for the same input, verdicts where a judge asks. */
#include "daemon/backend/dialect/simulated_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/suite.h"

static char *answer(const char *content, int64_t seed, double bad_verdict_rate)
{
	const char *contents[] = { "You are a helpful writer.", content };
	int64_t in, out;
	char *text;

	ck_assert_int_eq(simulated_answer(contents, 2, seed, bad_verdict_rate, &text, &in, &out), 0);
	ck_assert_int_gt(in, 0);
	ck_assert_int_gt(out, 0);
	return text;
}

START_TEST(same_input_same_text)
{
	char *a = answer("Write about mountains and rivers.", 7, 0);
	char *b = answer("Write about mountains and rivers.", 7, 0);
	char *c = answer("Write about mountains and rivers.", 8, 0);

	ck_assert_str_eq(a, b);
	ck_assert_str_ne(a, c);
	free(a);
	free(b);
	free(c);
}
END_TEST

START_TEST(text_reuses_words_and_stays_short)
{
	int reused = 0;

	for (int i = 0; i < 200; i++) {
		char *text = answer("mountains, rivers! mountains: rivers?", i, 0);
		int sentences = 0;

		for (const char *p = text; *p; p++)
			sentences += *p == '.';
		ck_assert_int_ge(sentences, 1);
		ck_assert_int_le(sentences, 4);
		reused += strstr(text, "mountains") || strstr(text, "rivers");
		free(text);
	}
	ck_assert_int_eq(reused, 200);
}
END_TEST

START_TEST(odd_contents)
{
	static const char *const odd[] = { "", " ", "a", "...", "\xe6\xbc\xa2\xe5\xad\x97" };
	const char *none[] = { NULL };
	int64_t in, out;
	char *text;

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		for (int seed = 0; seed < 50; seed++)
			free(answer(odd[i], seed, 0));
	ck_assert_int_eq(simulated_answer(none, 0, 1, 0, &text, &in, &out), 0);
	ck_assert_int_eq(in, 0);
	free(text);
}
END_TEST

START_TEST(words_are_never_cut_inside_a_character)
{
	for (int seed = 0; seed < 500; seed++) {
		char *text = answer("s\xc3\xa4\xc3\xa4 ja tuuli \xc3\xb6ljyl\xc3\xa4mp\xc3\xb6", seed, 0);

		for (const unsigned char *p = (unsigned char *) text; *p; p++) {
			if (*p < 0x80)
				continue;
			ck_assert_int_eq(*p, 0xc3);
			p++;
			ck_assert_int_eq(*p & 0xc0, 0x80);
		}
		free(text);
	}
}
END_TEST

START_TEST(tokens_follow_words)
{
	ck_assert_int_eq(simulated_tokens(""), 0);
	ck_assert_int_eq(simulated_tokens("  one  "), 2);
	ck_assert_int_eq(simulated_tokens("one two\nthree"), 4);
}
END_TEST

START_TEST(verdicts)
{
	int yes = 0;

	for (int seed = 0; seed < 1000; seed++) {
		char *text = answer("Answer with {" SIMULATED_JUDGE_MARKER "}.", seed, 0);

		if (strcmp(text, "{\"rating\": \"YES\"}") == 0)
			yes++;
		else
			ck_assert_str_eq(text, "{\"rating\": \"NO\"}");
		free(text);
	}
	ck_assert_int_gt(yes, 700);
	ck_assert_int_lt(yes, 800);
}
END_TEST

START_TEST(verdict_with_reasoning)
{
	char *text = answer("{\"reasoning\": \"...\", " SIMULATED_JUDGE_MARKER "}", 3, 0);
	static const char start[] = "{\"reasoning\": \"";

	ck_assert_int_eq(strncmp(text, start, sizeof(start) - 1), 0);
	ck_assert_ptr_nonnull(strstr(text, "\", \"rating\": \""));
	free(text);
}
END_TEST

START_TEST(bad_verdicts)
{
	static const char judge[] = "{" SIMULATED_JUDGE_MARKER "}";
	const char *again[] = { "You are a helpful writer.", judge, "?", "Once more: JSON only." };
	int bad = 0, bad_again = 0;

	for (int seed = 0; seed < 1000; seed++) {
		char *text = answer(judge, seed, 0.3), *second;
		int64_t in, out;

		ck_assert_int_eq(simulated_answer(again, 4, seed, 0.3, &second, &in, &out), 0);
		if (!strstr(text, "\"YES\"") && !strstr(text, "\"NO\"")) {
			bad++;
			bad_again += !strstr(second, "\"YES\"") && !strstr(second, "\"NO\"");
		}
		free(second);
		free(text);
	}
	ck_assert_int_gt(bad, 230);
	ck_assert_int_lt(bad, 370);
	ck_assert_int_gt(bad_again, bad / 6);
	ck_assert_int_lt(bad_again, bad / 2);
}
END_TEST

int main(void)
{
	return RUN_TESTS(same_input_same_text, text_reuses_words_and_stays_short, odd_contents,
			 words_are_never_cut_inside_a_character, tokens_follow_words, verdicts,
			 verdict_with_reasoning, bad_verdicts);
}
