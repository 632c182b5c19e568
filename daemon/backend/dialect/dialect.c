#include "daemon/backend/dialect/dialect.h"

#include <string.h>

static const struct dialect *const dialects[] = {
	&dialect_openai,
	&dialect_anthropic,
	&dialect_simulated,
};

const struct dialect *dialect_find(const char *name)
{
	for (size_t i = 0; i < sizeof(dialects) / sizeof(*dialects); i++) {
		if (strcmp(dialects[i]->name, name) == 0)
			return dialects[i];
	}
	return NULL;
}
