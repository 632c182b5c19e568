#include "proto/task_kind.h"

#include <stddef.h>
#include <string.h>

#define NAME(id, name) [TASK_KIND_##id] = #name,
static const char *const names[] = { TASK_KINDS(NAME) };

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
