#include "proto/task_kind.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = {
	[TASK_KIND_EXPERIMENT] = "experiment",
	[TASK_KIND_RATING] = "rating",
};

_Static_assert(sizeof(names) / sizeof(names[0]) == _TASK_KIND_MAX, "one name a kind");

const char *task_kind_name(enum task_kind kind)
{
	return (int)kind >= 0 && kind < _TASK_KIND_MAX ? names[kind] : NULL;
}

enum task_kind task_kind_from_name(const char *name)
{
	for (int i = 0; name && i < _TASK_KIND_MAX; i++)
		if (strcmp(names[i], name) == 0)
			return (enum task_kind)i;
	return _TASK_KIND_INVALID;
}
