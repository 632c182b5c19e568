/* The addresses that a target's calls go to: the config's base with the dialect's paths behind it. */
#pragma once

#include "daemon/backend/dialect/target.h"

/* All of them, and their origin. */
int target_make_urls(struct llm_target *target, const char *base, struct fault *fault);
