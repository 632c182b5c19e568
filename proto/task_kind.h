/* What a task does. The names are those of the interface. */
#pragma once

#include <errno.h>

enum task_kind {
	TASK_KIND_EXPERIMENT,
	TASK_KIND_RATING,
	_TASK_KIND_MAX,
	_TASK_KIND_INVALID = -EINVAL,
};

/* NULL for what is none. */
const char *task_kind_name(enum task_kind kind);
enum task_kind task_kind_from_name(const char *name); // or _TASK_KIND_INVALID
