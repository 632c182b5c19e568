/* What a task does. The names are those of the interface. */
#pragma once

#include <errno.h>
#include <stdbool.h>

/* A row a kind; what it does is in daemon/work/. One that is ephemeral is for who waits for it: it
 * is cancelled when that one goes away, and ends with the daemon. */
#define TASK_KINDS(KIND)                        \
	KIND(EXPERIMENT, experiment, TASK_LASTS) \
	KIND(RATING, rating, TASK_LASTS)         \
	KIND(CALL, call, TASK_IS_EPHEMERAL)       \
	KIND(GENERATION, generation, TASK_LASTS) \
	KIND(TEST, test, TASK_IS_EPHEMERAL)       \
	KIND(EVALUATOR, evaluator, TASK_IS_EPHEMERAL) \
	KIND(EMBEDDING, embedding, TASK_IS_EPHEMERAL) \
	KIND(SKILL, skill, TASK_IS_EPHEMERAL) \
	KIND(BATCH_EVALUATION, batch_evaluation, TASK_LASTS) \
	KIND(PREFERENCE, preference, TASK_LASTS)

#define TASK_KIND_ID(id, name, ephemeral) TASK_KIND_##id,
enum task_kind {
	TASK_KINDS(TASK_KIND_ID)
	_TASK_KIND_MAX,
	_TASK_KIND_INVALID = -EINVAL,
};
#undef TASK_KIND_ID

/* NULL for what is none. */
const char *task_kind_name(enum task_kind kind);
enum task_kind task_kind_from_name(const char *name); // or _TASK_KIND_INVALID
bool task_kind_is_ephemeral(enum task_kind kind); // an unknown one is not
