#include "proto/task_status.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	int exit_status; // -1: it is no end
} statuses[] = {
#define ROW(id, name, exit_status, is_ephemeral) { #name, exit_status },
	EACH_TASK_STATUS(ROW)
#undef ROW
};

static bool is_valid(enum task_status status)
{
	return (int) status >= 0 && status < _TASK_STATUS_MAX;
}

const char *task_status_name(enum task_status status)
{
	return is_valid(status) ? statuses[status].name : NULL;
}

enum task_status task_status_from_name(const char *name)
{
	for (int i = 0; name && i < _TASK_STATUS_MAX; i++)
		if (strcmp(statuses[i].name, name) == 0)
			return (enum task_status) i;
	return _TASK_STATUS_INVALID;
}

bool task_status_is_terminal(enum task_status status)
{
	return task_status_exit(status) >= 0;
}

int task_status_exit(enum task_status status)
{
	return is_valid(status) ? statuses[status].exit_status : -1;
}
