/* Tasks as rows: reading them whole, and the one way in which their state and log change. */
#pragma once

#include "daemon/store/resources/projects/project.h"
#include "daemon/store/tasks.h"
#include "proto/task_kind.h"

/* So many claims in a row that recorded nothing end a task. */
#define TASK_CLAIMS_MAX 5
/* So many times the daemon may go down while a task runs beside others, before it is tried alone. */
#define TASK_DEATHS_MAX 2

/* What its run has recorded, in responses and ratings; nothing without a run. */
#define RUN_RECORDED(run)                                                                      \
	"coalesce((SELECT sum(generated + ratings) FROM run_epochs WHERE run_id = " run "), 0)"
#define TASK_RECORDED RUN_RECORDED("tasks.run_id")

struct task_row {
	struct ellu_task *task;
	int64_t project_id;
	int64_t experiment_id; // that it changes when it ends; 0: none
	int64_t run_id; // 0: none
	const char *request_hash; // NULL: it has no idempotency key
};
int task_row_load(struct tx *tx, int64_t id, struct task_row *ret_row); // NotFound
/* One that the scope may see: its owner's, and administrators'. NotFound. */
int task_row_find(struct tx *tx, const struct scope *scope, int64_t id, struct task_row *ret_row);
int task_load(struct tx *tx, int64_t id, const struct ellu_task **ret_task); // NotFound

/* Which of the limits that a task is held by is reached (budget.c). */
enum budget {
	BUDGET_LEFT,
	BUDGET_TASK, // its own
	BUDGET_DAY, // the project's of the day
};
int budget_find(struct tx *tx, const struct task_row *row, enum budget *ret_budget);
/* Of one that is on hold for it: what it waits for, and until when. */
int budget_explain(struct tx *tx, struct task_row *row);

/* An entry of the history under the next sequence and number, with the hold that the task's row has
 * by now. `line` NULL: a change, to `status` or (NULL: the row's) of the hold. */
int task_event_add(struct tx *tx, int64_t task_id, const char *status, const char *line,
		   int64_t *ret_sequence);

/* The entries after `after`, at most EVENTS_PAGE_MAX. */
int task_events_read(struct tx *tx, const struct ellu_task *task, int64_t after,
		     const struct task_event_row **ret_rows, size_t *ret_n_rows);

/* The last number that was ever given, whether its event is still there or not. */
int event_number_last(struct db *db, int64_t *ret_number);

/* What a new task is made of. */
struct task_new {
	enum task_kind kind;
	struct place place;
	const char *name;
	int64_t experiment_id; // 0: none
	int64_t run_id; // 0: none
	bool begins_round; // of its run
	int64_t more_epochs; // of its run, for this task to make
	const char *priority;
	double time_limit_seconds;
	const int64_t *max_connections; // NULL: the config's
	const int64_t *cost_limit; // nanodollars; NULL: none
	int64_t retry_of; // 0: none
	const char *idempotency_key;
	const char *request_hash;
	const struct fault *rejected; // NULL, or code 0: PENDING
	const struct tx_list *log; // its first lines
	bool start; // STARTED then, by its first claim
};
int task_insert(struct tx *tx, const struct task_new *task, int64_t *ret_id);
static inline bool task_is_rejected(const struct task_new *task)
{
	return task->rejected && task->rejected->code;
}

/* ---- Operations of methods ---- */

int tasks_list(struct tx *tx, struct method_run *op); // beside: struct listed_tasks
int task_logs_list(struct tx *tx, struct method_run *op);
