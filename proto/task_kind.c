#include "proto/task_kind.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	bool ephemeral;
} rows[] = {
#define ROW(id, name, exit_status, is_ephemeral) { #name, is_ephemeral },
	EACH_TASK_KIND(ROW)
#undef ROW
};

const char *task_kind_name(enum task_kind kind)
{
	return (int)kind >= 0 && kind < _TASK_KIND_MAX ? rows[kind].name : NULL;
}

enum task_kind task_kind_from_name(const char *name)
{
	for (int i = 0; name && i < _TASK_KIND_MAX; i++)
		if (strcmp(rows[i].name, name) == 0)
			return (enum task_kind)i;
	return _TASK_KIND_INVALID;
}

bool task_kind_is_ephemeral(enum task_kind kind)
{
	return (int)kind >= 0 && kind < _TASK_KIND_MAX && rows[kind].ephemeral;
}
