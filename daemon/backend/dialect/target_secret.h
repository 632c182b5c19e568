/* What a target keeps secret: found in its config, and blotted out of all that is said. */
#pragma once

#include "daemon/backend/dialect/target.h"

/* The key, and what stands in the URL's query and in the body. */
int target_add_secrets(struct llm_target *target, const struct ellu_llm_config *config,
		       struct fault *fault);
/* The value of a header of the config's own, and its part behind `Bearer `, `Basic ` and so on. -1: no memory,
 * `value` may be NULL for it. */
int target_add_header_secret(struct llm_target *target, const char *name, char *value);

/* Wipes them. */
void target_forget_secrets(struct llm_target *target);
