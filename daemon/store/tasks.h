/*
 * Operations on tasks: submit, claim, finish, events. Every change of status is an UPDATE guarded
 * by the id, the attempt and the statuses it may come from; the changed-row count decides races.
 * Each change raises the task's sequence in the same transaction.
 */
#pragma once

#include "daemon/store/engine/method.h"
#include "elluminate-types.h"
#include "proto/task_kind.h"
#include "proto/task_status.h"

struct task_event_row;

/*
 * A method that makes a task: it resolves the parts, pins the run and stores what it makes and the
 * task in one transaction. What the request alone shows wrong is an error; what the state shows wrong
 * stores a REJECTED task (still result 0) and nothing else: its parts are rolled back, and it names
 * an experiment only when that existed before.
 */
struct task_submit {
	struct store_request request;
	struct scope scope; // with its project
	const struct method *method; // one of those that store_makes_task()
	const void *arguments; // its decoded request; lives until `done`
	enum task_kind kind; // the store's own: of a job whose item is the request
	bool queue_full; // the queue has no room: store it REJECTED with QueueFull
	bool start; // a slot is free: claim it in the same transaction
	const struct ellu_task *ret_task; // NULL: none was needed
	int64_t ret_attempt; // of the claim, when it was started
	const struct task_event_row *ret_rows; // the history of a new task
	size_t ret_n_rows;
	bool ret_existing; // an earlier task: same idempotency key, or finished and unchanged
	bool ret_finished; // of these the latter: its history is that of another request
	const struct ellu_criterion *const *ret_criteria; // what a task would have made was there: then
	size_t ret_n_criteria; // there is none, and `ret_existing`
	const char *const *ret_notes; // what the submission changed, a line each; also a new task's
	size_t ret_n_notes; // first log lines
};
bool store_makes_task(const struct method *method);
void store_task_submit(struct store *store, struct task_submit *op);

/* PENDING to STARTED, or to FAILURE after TASK_CLAIMS_MAX claims that recorded nothing. */
struct task_claim {
	struct store_request request;
	int64_t task_id;
	bool trial; // by itself: if the daemon goes down now, it was this task
	bool ret_changed; // false: it was not PENDING any more, or is held
	int64_t ret_attempt;
	const struct ellu_task *ret_task;
};
void store_task_claim(struct store *store, struct task_claim *op);

/* Its trial is over, and the daemon is still there. */
struct task_acquit {
	struct store_request request;
	int64_t task_id;
};
void store_task_acquit(struct store *store, struct task_acquit *op);

/* From PENDING or STARTED to `status`: a terminal one, or PENDING when the daemon stops. */
struct task_change {
	struct store_request request;
	int64_t task_id;
	int64_t attempt; // 0: whatever it is (a cancel)
	enum task_status status;
	const struct ellu_error *error; // or NULL
	const struct ellu_task_result *result; // or NULL; stored at task and experiment
	int64_t running_usec; // added to what is stored
	bool asked; // by somebody who is told when the store cannot write, and does not wait
	bool over_budget; // with PENDING: hold it, unless its cost_limit has been raised meanwhile
	bool ret_changed; // false: it was terminal, or another attempt's
	bool ret_unfit; // error and result could not be told, and it has none
	const struct ellu_task *ret_task; // as it is now; borrows error and result
};
void store_task_change(struct store *store, struct task_change *op);

/* Sets or clears the hold `user` of a task that waits or runs; one that is as wanted stays so. It and `budget`
 * lie in a task's row; the others are of the moment.
 * Conflict: it has ended, or is to be resumed and held for its budget. */
struct task_pause {
	struct store_request request;
	int64_t task_id;
	bool resume;
	bool of_budget; // from that hold alone, where nothing keeps it there; or else nothing is changed
	bool ret_changed;
	const struct ellu_task *ret_task; // as it is now
};
void store_task_pause(struct store *store, struct task_pause *op);

/* Changes what is given of a task that waits or runs, and says so in its log. A cost_limit above
 * what was spent clears the hold `budget`. Conflict: it has ended. */
struct task_tune {
	struct store_request request;
	int64_t task_id;
	const char *priority; // NULL: stays, here and below
	const int64_t *max_connections;
	const int64_t *cost_limit; // nanodollars
	const char *ret_line; // of its log; NULL: nothing changed
	int64_t ret_line_sequence;
	int64_t ret_at; // wall clock, microseconds
	bool ret_released; // the hold was cleared, under the next sequence
	const struct ellu_task *ret_task; // as it is now
};
void store_task_tune(struct store *store, struct task_tune *op);

/* Appends lines to a task's log; to none that has ended. */
struct task_log {
	struct store_request request;
	int64_t task_id;
	const char *const *lines; // without newlines
	size_t n_lines;
	int64_t ret_first_sequence; // 0: nothing was added
	const char **ret_lines; // as they are stored
	int64_t ret_at; // wall clock, microseconds
};
void store_task_log(struct store *store, struct task_log *op);

/* Where pruning is; zeroed: at the start. */
struct prune_cursor {
	int64_t after_id; // tasks up to it are done
	int64_t partly_id; // a task behind it that has lost lines already; 0: none
};

#define PRUNE_TASKS_MAX 200 // that one chunk is about

/* Removes log lines of tasks that ended before a moment: a chunk of them behind the cursor. */
struct tasks_prune {
	struct store_request request;
	struct scope scope; // `all`: everybody's
	int64_t ended_before; // wall clock, microseconds
	struct prune_cursor cursor;
	struct prune_cursor ret_cursor;
	int64_t ret_tasks; // that lost lines, and are not counted yet
	int64_t ret_lines;
	bool ret_end;
	int64_t ids[PRUNE_TASKS_MAX]; // the store's own, and so are the others
	int n_ids;
	int64_t looked_id;
	bool found_all;
};
void store_tasks_prune(struct store *store, struct tasks_prune *op);

enum expiry_of { EXPIRY_EXPERIMENTS, EXPIRY_TASKS, _EXPIRY_MAX };

#define EXPIRY_CHUNK 200

/* Removes what ended before a moment, and is not to be kept for ever: a chunk of what is behind
 * `after_id`. Nothing that a task uses. */
struct expiry {
	struct store_request request;
	enum expiry_of what;
	int64_t ended_before; // wall clock, microseconds
	int64_t after_id;
	int64_t ret_after_id;
	int64_t ret_n; // that are gone
	bool ret_end;
	int64_t ids[EXPIRY_CHUNK]; // the store's own
	int n_ids;
};
void store_expiry(struct store *store, struct expiry *op);

struct task_get {
	struct store_request request;
	struct scope scope;
	int64_t task_id;
	const struct ellu_task *ret_task;
};
void store_task_get(struct store *store, struct task_get *op);

/* A task that is not over, and where it is in the text of the page: memory may know more of it. */
struct listed_task {
	const struct ellu_task *task;
	size_t start;
	size_t size;
};
/* Of a page of ListTasks: method_run::ret_beside. */
struct listed_tasks {
	const struct listed_task *const *items;
	size_t n;
};

/* PENDING tasks by id, for the queue at start. */
struct pending_task {
	int64_t id;
	int64_t uid;
	const char *priority;
	const char *hold; // or NULL
	bool suspect; // to be tried by itself: see queue/trial.h
};
struct tasks_pending_page {
	struct store_request request;
	int64_t after_id;
	const struct pending_task *ret_tasks;
	size_t ret_n_tasks; // 0: no more
};
void store_tasks_pending_page(struct store *store, struct tasks_pending_page *op);
