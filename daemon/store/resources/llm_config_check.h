/* The rules of an LLM config that go beyond one field. */
#pragma once

#include <stdbool.h>

#include "elluminate-types.h"
#include "proto/arena.h"
#include "proto/fault.h"

/* `path` is the record's path in the request. `references_forbidden`: the caller may not have
 * the daemon look up keys. */
int llm_config_check(const struct ellu_llm_config *config, const char *path,
		     bool references_forbidden, struct arena *arena, struct fault *fault);
