#include "proto/task_status.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	bool terminal;
} statuses[] = {
	[TASK_PENDING] = { "PENDING", false },	[TASK_STARTED] = { "STARTED", false },
	[TASK_SUCCESS] = { "SUCCESS", true },	[TASK_FAILURE] = { "FAILURE", true },
	[TASK_TIMEOUT] = { "TIMEOUT", true },	[TASK_REVOKED] = { "REVOKED", true },
	[TASK_REJECTED] = { "REJECTED", true },
};

_Static_assert(sizeof(statuses) / sizeof(statuses[0]) == _TASK_STATUS_MAX, "one row a status");

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
	return is_valid(status) && statuses[status].terminal;
}
