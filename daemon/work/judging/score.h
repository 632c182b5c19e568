/*
 * How an evaluator's score is asked for, and read out of the answer. The evaluator's prompt is its
 * author's word; what stands in the place of its placeholders, and of demonstrations, is material.
 *
 * Pure functions; any thread.
 */
#pragma once

#include <json.h>
#include <stddef.h>

#include "elluminate-types.h"
#include "proto/arena.h"
#include "proto/fault/fault.h"
#include "proto/json/json_schema.h"

#define SCORE_FORMAT                                                                          \
	"{\"type\":\"object\",\"properties\":{\"justification\":{\"type\":\"string\"},"       \
	"\"score\":{\"type\":\"number\"}},\"required\":[\"justification\",\"score\"],"        \
	"\"additionalProperties\":false}"

#define SCORE_MESSAGES 2 // in a question

/* Bytes of a justification, cut at a character: those of all a judge's evaluators stand in one result. */
#define SCORE_JUSTIFICATION_MAX (64u << 10)

/* The messages that ask for it; `values` has the evaluator's inputs by their names. InvalidParameter of
 * an input without a value, TooLarge, Internal without memory. */
int score_ask(const struct ellu_evaluator *evaluator, json_object *values, struct arena *arena,
	      const struct ellu_message *const **ret_messages, size_t *ret_n_messages,
	      struct fault *fault);

/* 1: the answer (NULL: it has no text) holds a score, and perhaps a justification; 0: it does not, and
 * the problem says what is wrong; -ENOMEM. */
int score_parse(const char *answer, struct arena *arena, double *ret_score,
		const char **ret_justification, struct schema_problem *ret_problem);
