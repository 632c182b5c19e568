/*
 * Scores from 0 to 1 that take no model: what the catalogue's evaluators with a `function` are. Pure
 * functions of their inputs; any thread. Texts may come from anyone: what one takes is bounded by
 * METRIC_STEPS_MAX, and what would take more is refused before it begins.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/arena.h"
#include "proto/fault/fault.h"

/* About as many simple operations; some tens of milliseconds, as regular expressions may take. */
#define METRIC_STEPS_MAX 16000000

struct metric_score {
	double score;
	const char *justification; // of the arena
};

bool metric_is_known(const char *function);

/* `inputs` by name: texts, or (words, schema and such) JSON values. 0, or the code of the fault:
 * InvalidParameter with the name of an input that is not what it should be, TooLarge where it would
 * take too much, or Internal without memory. *ret_steps says what it took, in any case. */
int metric_decide(const char *function, json_object *inputs, struct arena *arena,
		  struct metric_score *ret_score, size_t *ret_steps, struct fault *fault);
