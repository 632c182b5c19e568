/*
 * The text of a simulated model: short plausible English, or where a prompt asks for one a verdict, a
 * score, or a list of made-up items.
 *
 * Everything follows from the texts of the messages and the seed, so the built-in provider
 * `simulated` and the simulated endpoint answer alike, and every run can be repeated.
 * No state: any thread may call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The line of a judge prompt that states the form of the verdict. A prompt whose form has
 * "reasoning" before this text is answered with a reasoning too. */
#define SIMULATED_JUDGE_MARKER "\"rating\": \"YES\" | \"NO\""

/* The same of one that asks for a justification and a score. */
#define SIMULATED_SCORE_MARKER "\"score\": a number from 0 to 1"

/* How a prompt begins that wants a list of items, each with a text for every key, as many as its
 * `count` says: {"items": [{"key": "text"}], "count": 20}. */
#define SIMULATED_ITEMS_MARKER "{\"items\": [{"

/* The answer to a conversation, of which contents are the messages' texts in order. A share of
 * bad_verdict_rate (0..1) of the verdicts and scores is nonsense; one more message decides anew.
 * Returns 0 or -ENOMEM; the caller frees *ret_text. */
int simulated_answer(const char *const *contents, size_t n_contents, int64_t seed,
		     double bad_verdict_rate, char **ret_text, int64_t *ret_input_tokens,
		     int64_t *ret_output_tokens) __attribute__((warn_unused_result));

/* Whether simulated_answer gives a verdict for these messages. */
bool simulated_is_judge(const char *const *contents, size_t n_contents);

/* Whether what it gives has the form that these messages state: a verdict, a score, or items. */
bool simulated_has_form(const char *const *contents, size_t n_contents);

#define SIMULATED_DIMENSIONS 256 // unless others are asked for

/* The vector of a text, of length 1: the more words two texts share, the nearer are theirs. */
void simulated_vector(const char *text, int64_t seed, double *ret_vector, size_t n);

/* Roughly what a tokenizer would count. */
int64_t simulated_tokens(const char *text);
