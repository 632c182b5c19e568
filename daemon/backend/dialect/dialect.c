#include "daemon/backend/dialect/dialect.h"

#include <string.h>

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
