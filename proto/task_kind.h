/*
 * What a task does: the kinds that the interface lists. What one does is a row in daemon/work/. One that
 * is ephemeral is for who waits for it: it is cancelled when that one goes away, and ends with the daemon.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>

#include "proto/generated/interface.h"

enum task_kind {
#define KIND_VALUE(id, name, exit_status, is_ephemeral) TASK_KIND_##id,
	EACH_TASK_KIND(KIND_VALUE)
#undef KIND_VALUE
	_TASK_KIND_MAX,
	_TASK_KIND_INVALID = -EINVAL,
};

/* NULL for what is none. */
const char *task_kind_name(enum task_kind kind);
enum task_kind task_kind_from_name(const char *name); // or _TASK_KIND_INVALID
bool task_kind_is_ephemeral(enum task_kind kind); // an unknown one is not
