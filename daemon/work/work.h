/*
 * The worker pool: loops on which running tasks live as state machines, each task on exactly
 * one. A worker streams missing cases out of the store through a bounded window, has them
 * answered and judged by the backend, and records what comes back.
 *
 * The pool is driven from one loop (the queue's) and reports to it: every callback of
 * `struct work_events` runs there. A task ends with exactly one `finished`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/backend/backend.h"
#include "daemon/backend/callers/stream.h"
#include "daemon/base/loop.h"
#include "daemon/store/store.h"
#include "elluminate-types.h"
#include "proto/task_kind.h"
#include "proto/task_status.h"

struct work;
struct work_run; // a running task; valid until its `finished`

/* What can be changed of a task while it runs. */
struct work_tuning {
	int priority; // 0 interactive, 1 normal, 2 batch
	int max_connections; // calls in flight; 0: no cap of its own
	int64_t cost_limit; // nanodollars; -1: none
};

struct work_task {
	int64_t task_id;
	enum task_kind kind;
	int64_t attempt;
	int64_t experiment_id; // 0: none
	int64_t owner_uid;
	struct work_tuning tuning;
	struct llm_stream *stream; // to who reads the answer of a call, or NULL; borrowed until `finished`
};

/* How a run ended. */
struct work_end {
	enum task_status status; // TASK_SUCCESS or TASK_FAILURE; TASK_PENDING: drained or aborted
	const struct ellu_error *error; // or NULL
	const struct ellu_task_result *result; // or NULL
	bool over_budget; // with TASK_PENDING: its cost limit was reached
};

struct work_events {
	/* A snapshot, at most one per WORK_PROGRESS_USEC and task, and one just before `finished`.
	 * Borrowed for the call. */
	void (*progress)(void *userdata, int64_t task_id, const struct ellu_progress *progress);
	/* The task waits: for a `provider` that fails or asks for a long pause, or for the `batch` that one has
	 * of it; or it no longer does: NULL. */
	void (*held)(void *userdata, int64_t task_id, const char *hold);
	/* It waits for these calls of tools, all of them; none: for no one any more. Borrowed. */
	void (*tool_calls)(void *userdata, int64_t task_id,
			   const struct ellu_tool_call *const *tool_calls, size_t n_tool_calls);
	/* A line for the task's log. */
	void (*log)(void *userdata, int64_t task_id, const char *line);
	void (*finished)(void *userdata, int64_t task_id, const struct work_end *end);
	void *userdata;
};

#define WORK_PROGRESS_USEC 50000
#define WORK_LOG_LINES_MAX 1000 // failures logged a task; the rest is counted

int work_new(unsigned n_workers, struct loop *home, struct store *store, struct backend *backend,
	     const struct work_events *events, struct work **ret_work);
/* Every run must have finished. Stops and joins the workers. */
struct work *work_free(struct work *work);

/* The longest between two looks at a batch that a provider has. */
void work_set_batch_wait(struct work *work, int64_t usec);

int work_start(struct work *work, const struct work_task *task, struct work_run **ret_run);
/* Cancels: calls in flight are aborted; answers already complete are still recorded. */
void work_abort(struct work_run *run);
/* Stops issuing; what is in flight is awaited and recorded; ends PENDING. */
void work_drain(struct work_run *run);

/* Changes how it runs from now on. -ENOMEM. */
int work_tune(struct work_run *run, const struct work_tuning *tuning);

/* What one of the calls of tools that it waits for brought. -ENOMEM. */
int work_take_tool_result(struct work_run *run, const char *tool_call_id, const char *content);

/* A deep copy, in the arena; NULL without memory. */
const struct ellu_tool_call **tool_calls_copy(const struct ellu_tool_call *const *tool_calls, size_t n,
					      struct arena *arena);

struct loop *work_loop(const struct work *work, unsigned index);
unsigned work_n_workers(const struct work *work);
/* Tasks and cases in the windows of worker `index`. */
void work_worker_status(const struct work *work, unsigned index, int64_t *ret_tasks,
			int64_t *ret_cases);
