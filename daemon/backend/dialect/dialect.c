#include "daemon/backend/dialect/dialect.h"

#include <string.h>

static const struct dialect *const families[] = {
	openai_dialects,
	anthropic_dialects,
	simulated_dialects,
};

const struct dialect *dialect_find(const char *name)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		for (const struct dialect *dialect = families[i]; dialect->name; dialect++) {
			if (strcmp(dialect->name, name) == 0)
				return dialect;
		}
	}
	return NULL;
}
