/* What a task does. The names are those of the interface. */
#pragma once

#include <errno.h>

/* A row a kind; what it does is in daemon/work/. */
#define TASK_KINDS(KIND)             \
	KIND(EXPERIMENT, experiment) \
	KIND(RATING, rating)

#define TASK_KIND_ID(id, name) TASK_KIND_##id,
enum task_kind {
	TASK_KINDS(TASK_KIND_ID)
	_TASK_KIND_MAX,
	_TASK_KIND_INVALID = -EINVAL,
};
#undef TASK_KIND_ID

/* NULL for what is none. */
const char *task_kind_name(enum task_kind kind);
enum task_kind task_kind_from_name(const char *name); // or _TASK_KIND_INVALID
