/*
 * Validators of an answer: which of them it passes, whether that makes it valid, and what a model is told
 * whose answer was not. Pure functions; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "elluminate-types.h"
#include "proto/arena.h"

/* Once it is known whether there is a score, its `result`: that and the `threshold` decide. */
void validation_decide(struct ellu_validator_result *result);

/* All that are to decide have been passed. */
bool validation_is_valid(const struct ellu_validator_result *const *results, size_t n);

/* An answer might pass where the last did not: some validator says what was wrong with it. One that failed
 * would fail again. */
bool validation_may_improve(const struct ellu_validator_result *const *results, size_t n);

/* The messages with the answer, and what kept it from being valid. -ENOMEM. */
int validation_ask_again(const struct ellu_message *const *messages, size_t n_messages, const char *answer,
			 const struct ellu_validator_result *const *results, size_t n, struct arena *arena,
			 const struct ellu_message *const **ret_messages, size_t *ret_n_messages);
