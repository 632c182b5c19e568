/*
 * The states of a task. The names are those of the interface; a unit test holds them together.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>

enum task_status {
	TASK_PENDING,
	TASK_STARTED,
	TASK_SUCCESS,
	TASK_FAILURE,
	TASK_TIMEOUT,
	TASK_REVOKED,
	TASK_REJECTED,
	_TASK_STATUS_MAX,
	_TASK_STATUS_INVALID = -EINVAL,
};

/* NULL for what is none. */
const char *task_status_name(enum task_status status);
enum task_status task_status_from_name(const char *name); // or _TASK_STATUS_INVALID
/* A terminal state never changes. */
bool task_status_is_terminal(enum task_status status);
