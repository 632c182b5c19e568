/*
 * Answers that were to be JSON of a form: whether they are, and how they are asked for once more.
 * Providers do not all hold to a schema, and some were never told it (backend/dialect).
 *
 * Pure functions; any thread.
 */
#pragma once

#include <stddef.h>

#include "elluminate-types.h"
#include "proto/arena.h"
#include "proto/json/json_schema.h"

/* Whether the answer (NULL: there was no text) fits the schema, which is JSON. *ret_text is then the
 * value alone, without what stood around it; else the problem says what is wrong. -ENOMEM. */
int structured_check(const char *schema, const char *answer, struct arena *arena,
		     const char **ret_text, struct schema_problem *ret_problem);

/* The messages with that answer and what is wrong with it behind them. -ENOMEM. */
int structured_ask_again(const struct ellu_message *const *messages, size_t n_messages,
			 const char *schema, const char *answer, const struct schema_problem *problem,
			 struct arena *arena, const struct ellu_message *const **ret_messages,
			 size_t *ret_n_messages);
