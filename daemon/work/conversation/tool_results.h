/*
 * Recorded results of tools: what a cell of a row says that calls of tools brought. It is an object with a
 * result by the tool's name, or a list of `{"name", "arguments", "result"}` where one is called more than once.
 *
 * Pure; any thread.
 */
#pragma once

#include <json.h>
#include <stdbool.h>
#include <stddef.h>

#include "elluminate-types.h"
#include "proto/arena.h"
#include "proto/fault/fault.h"

struct tool_result;

struct tool_results {
	json_object *cell; // owned; NULL: nothing is recorded
	struct tool_result *given; // by item of a list
	size_t n_given;
	size_t steps; // that looking for results has taken since this was 0
};

/* The cell of the row (NULL: it has none), or a text that says what a cell would. InvalidParameter of the
 * column. */
int tool_results_init(struct tool_results *results, json_object *cell, const char *column, struct arena *arena,
		      struct fault *fault);
void tool_results_done(struct tool_results *results); // a zeroed one too

/* Whether its arguments are the JSON object that they are to be. */
bool tool_call_is_readable(const struct ellu_tool_call *call);

/* The first that has not been given yet, of the call's name and, where arguments are recorded, with these;
 * when all that fit were given, the last of them again. 1; 0: there is none; -ENOMEM. */
int tool_results_take(struct tool_results *results, const struct ellu_tool_call *call, struct arena *arena,
		      const char **ret_content);
