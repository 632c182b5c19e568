#include "daemon/backend/dialect/dialect.h"

#include <string.h>

const struct dialect *const dialect_families[] = {
	openai_dialects,
	anthropic_dialects,
	bedrock_dialects,
	cohere_dialects,
	custom_dialects,
	gemini_dialects,
	simulated_dialects,
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
