/*
 * A round of a conversation with tools: what a model called, and what each of the calls brought, as
 * messages behind those that it was asked with. Models call several at once, and the results come in
 * any order.
 *
 * Pure functions; everything lies in the arena. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "elluminate-types.h"
#include "proto/arena.h"
#include "proto/fault/fault.h"

struct tool_round {
	const struct ellu_message *const *messages; // the results are the last `n` of them
	size_t n_messages;
	const struct ellu_tool_call *const *tool_calls; // each with an id of its own
	struct ellu_message *results;
	size_t n;
	size_t n_left; // without a result
};

/* Behind `messages`, an answer with tool calls. Ids that stand there already, or are empty, get a
 * number behind them: some providers number the calls of each answer alike. -ENOMEM. */
int tool_round_begin(const struct ellu_message *const *messages, size_t n_messages, const char *text,
		     const struct ellu_tool_call *const *tool_calls, size_t n, struct arena *arena,
		     struct tool_round *ret_round);

/* 1: it is one that was waited for; 0: it is not; -ENOMEM. The content is copied. */
int tool_round_take(struct tool_round *round, const char *id, const char *content, struct arena *arena);

/* TooLarge, where all messages together take more than can be asked at once. */
int tool_round_check_size(const struct tool_round *round, struct fault *fault);
