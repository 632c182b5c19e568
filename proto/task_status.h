/*
 * The states of a task, as the interface lists them.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>

#include "proto/generated/interface.h"

enum task_status {
#define TASK_VALUE(id, name, exit_status, is_ephemeral) TASK_##id,
	EACH_TASK_STATUS(TASK_VALUE)
#undef TASK_VALUE
	_TASK_STATUS_MAX,
	_TASK_STATUS_INVALID = -EINVAL,
};

/* NULL for what is none. */
const char *task_status_name(enum task_status status);
enum task_status task_status_from_name(const char *name); // or _TASK_STATUS_INVALID
/* A terminal state never changes. */
bool task_status_is_terminal(enum task_status status);
/* That of a command whose task has ended so; -1: it has not ended. */
int task_status_exit(enum task_status status);
