/* Asking on: what a model said, and what it is told then. Pure; any thread. */
#pragma once

#include <json.h>
#include <stddef.h>

#include "elluminate-types.h"
#include "proto/arena.h"

/* The messages with the answer, or as much of it as a question holds, and a reply to it behind them; the
 * reply is borrowed. -ENOMEM. */
int dialogue_go_on(const struct ellu_message *const *messages, size_t n_messages, const char *answer,
		   const char *reply, struct arena *arena,
		   const struct ellu_message *const **ret_messages, size_t *ret_n_messages);

/* What was said as one text: one message as it is, of several who says what. NULL without memory. */
json_object *dialogue_text(const struct ellu_message *const *messages, size_t n_messages);
