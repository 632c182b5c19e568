/*
 * What the store, the command and the backend know of providers, which are the values that a
 * config's `provider` may have. How one is asked is a row of the backend's (dialect/dialect.h).
 */
#pragma once

#include <stdbool.h>

#include "elluminate-types.h"

struct provider {
	const char *name;
	const char *default_base; // where a config has no llm_base_url; NULL: it must have one
	const char *key_variable; // of the environment, where people have its key; or NULL
	bool wants_key; // at its default base
	const char *const *lacks; // fields of configs that it has not, ends with NULL; or NULL
	bool lacks_json_object; // as a structured_output
	int batch_price_percent; // what a call in a batch costs, of what it does alone; 0: it takes none
};

const struct provider *provider_find(const char *name); // or NULL
bool provider_is_simulated(const char *name);
