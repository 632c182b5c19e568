/* All dialects there are, and which of them a config names. */
#include <string.h>

#include "daemon/backend/dialect/dialect.h"
#include "daemon/backend/dialect/target.h"

const struct dialect *const dialect_families[] = {
#define FAMILY(name) name##_dialects,
	DIALECT_FAMILIES(FAMILY)
#undef FAMILY
	NULL,
};

const struct dialect *dialect_find(const char *name)
{
	for (size_t i = 0; dialect_families[i]; i++) {
		for (const struct dialect *dialect = dialect_families[i]; dialect->name; dialect++) {
			if (strcmp(dialect->name, name) == 0)
				return dialect;
		}
	}
	return NULL;
}

int llm_target_new(const struct ellu_llm_config *config, struct llm_target **ret_target,
		   struct fault *fault)
{
	const struct dialect *dialect = dialect_find(config->provider);

	if (!dialect)
		return fault_invalid(fault, "llm_config.provider", "a provider that is known");
	return target_new(dialect, config, ret_target, fault);
}
