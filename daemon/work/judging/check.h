/*
 * What is decided of an answer without a model. Pure functions; any thread. None of them takes longer
 * than reading answer and value a few times, but `regex`, which takes REGEX_STEPS_MAX at the most.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>

#include "elluminate-types.h"
#include "proto/arena.h"
#include "proto/fault/fault.h"

/* Its value is rendered with the row's. 0, or the code of the fault: what the row makes of the value is
 * none for this kind, or it is too large. *ret_steps says what a `regex` took, else it is 0. */
int check_decide(const struct ellu_check *check, const char *answer, json_object *values,
		 struct arena *arena, bool *ret_yes, size_t *ret_steps, struct fault *fault);
