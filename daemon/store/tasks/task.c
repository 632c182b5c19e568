/* Tasks as rows: reading them, their history, and what claims and ends them. */
#include "daemon/store/tasks/task.h"

#include <errno.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/store/engine/store_internal.h"
#include "daemon/store/runs/responses/response_order.h"
#include "daemon/store/runs/run.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

/* ---- Reading ---- */

static int tell_epoch(struct tx *tx, const struct run_epoch *epoch, struct tx_list *epochs)
{
	struct ellu_epoch_progress *told = TX_RECORD(tx, struct ellu_epoch_progress);

	if (!told)
		return -ENOMEM;
	told->epoch = epoch->epoch;
	told->total = epoch->total;
	told->generated = epoch->generated;
	told->rated = epoch->rated;
	return tx_append(tx, epochs, told);
}

/* What is rated alone was generated before, and how much of it is done has to be counted first. */
static int read_progress(struct tx *tx, int64_t run_id, bool counted,
			 const struct ellu_progress **ret_progress)
{
	struct ellu_progress *progress = TX_RECORD(tx, struct ellu_progress);
	struct run_units units = { 0 };
	struct tx_list epochs = { 0 };
	struct run_spec spec = { 0 };
	int64_t decided = 0, yes = 0;
	size_t told, end;
	int r;

	if (!progress)
		return -ENOMEM;
	r = run_counters(tx, run_id, &spec);
	end = run_epochs_told(spec.epochs, spec.n_epochs, &told);
	for (size_t i = 0; r >= 0 && i < spec.n_epochs; i++) {
		const struct run_epoch *epoch = &spec.epochs[i];
		struct run_units more = run_epoch_units(epoch, (int64_t)spec.n_measures);

		progress->responses_generated += epoch->epoch ? epoch->generated : epoch->total;
		progress->responses_rated += epoch->rated;
		progress->failed += epoch->failed;
		decided += epoch->decided;
		yes += epoch->yes;
		units.due += more.due;
		units.recorded += more.recorded;
		if (epoch->epoch && i >= told && i < end)
			r = tell_epoch(tx, epoch, &epochs);
		else if (!epoch->epoch && !counted)
			units = (struct run_units){ .due = 1 };
	}
	progress->total_responses = spec.total_responses;
	progress->input_tokens = spec.input_tokens;
	progress->output_tokens = spec.output_tokens;
	if (spec.cost_nanodollars >= 0)
		progress->cost = tx_int_value(tx, spec.cost_nanodollars);
	if (spec.n_measures > 0) {
		progress->decided = tx_int_value(tx, decided);
		progress->yes = tx_int_value(tx, yes);
	}
	progress->epochs = tx_list_items(tx, &epochs);
	progress->n_epochs = epochs.n;
	progress->percent_complete = run_units_percent(units);
	*ret_progress = progress;
	return r;
}

#define TASK_QUERY                                                                              \
	"SELECT t.id, t.kind, t.name, t.experiment_id, t.status, t.hold, t.priority, p.name,"   \
	" t.owner_uid, t.created_at, t.started_at, t.finished_at, t.time_limit_usec,"           \
	" t.running_usec, t.attempts, t.retry_of, t.sequence, t.max_connections,"               \
	" t.cost_limit_nanodollars, t.request_hash, t.project_id, t.run_id, n.counters_stale,"   \
	" t.error, t.result FROM tasks t JOIN projects p ON p.id = t.project_id"                 \
	" LEFT JOIN runs n ON n.id = t.run_id WHERE t.id = ?1"

enum { TASK_ERROR = 23, TASK_RESULT }; // in the list, behind what read_row() reads

/* In the order of the list; but for what came of it. */
static int read_row(struct tx *tx, sqlite3_stmt *q, struct task_row *row)
{
	struct ellu_task *task = row->task;
	int c = 0, r = 0;

	task->id = column_int(q, c++);
	task->kind = tx_text(tx, q, c++);
	task->name = tx_text(tx, q, c++);
	task->experiment_id = tx_int(tx, q, c++);
	task->status = tx_text(tx, q, c++);
	task->hold = tx_text(tx, q, c++);
	task->priority = tx_text(tx, q, c++);
	task->project = tx_text(tx, q, c++);
	task->owner_uid = column_int(q, c++);
	task->created_at = column_int(q, c++);
	task->started_at = tx_int(tx, q, c++);
	task->finished_at = tx_int(tx, q, c++);
	task->time_limit_seconds = (double)column_int(q, c++) / USEC_PER_SEC;
	task->running_seconds = (double)column_int(q, c++) / USEC_PER_SEC;
	task->attempts = column_int(q, c++);
	task->retry_of = tx_int(tx, q, c++);
	task->sequence = column_int(q, c++);
	task->max_connections = tx_int(tx, q, c++);
	task->cost_limit = tx_int(tx, q, c++);
	row->request_hash = tx_text(tx, q, c++);
	row->project_id = column_int(q, c++);
	row->experiment_id = task->experiment_id ? *task->experiment_id : 0;
	row->run_id = column_int(q, c++);
	if (row->run_id)
		r = read_progress(tx, row->run_id, column_int(q, c) == 0, &task->progress);
	if (r >= 0)
		r = budget_explain(tx, row);
	return r >= 0 && tx->oom ? -ENOMEM : r;
}

static int read_outcome(struct tx *tx, sqlite3_stmt *q, struct ellu_task *task)
{
	int r = tx_decode(tx, &ellu_error_type, column_peek(q, TASK_ERROR), &task->error);

	return r < 0 ? r : tx_decode(tx, &ellu_task_result_type, column_peek(q, TASK_RESULT), &task->result);
}

/* `change`: what came of it was written just now, and need not be read. Or NULL. */
static int load_row(struct tx *tx, int64_t id, const struct task_change *change, struct task_row *ret_row)
{
	QUERY q = NULL;
	int r;

	*ret_row = (struct task_row){ .task = TX_RECORD(tx, struct ellu_task) };
	if (!ret_row->task)
		return -ENOMEM;
	r = db_row(tx->db, &q, TASK_QUERY, "i", id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "task", NULL, id);
	if (!change) {
		r = read_outcome(tx, q, ret_row->task);
	} else if (!change->ret_unfit) {
		ret_row->task->error = change->error;
		ret_row->task->result = change->result;
	}
	return r < 0 ? r : read_row(tx, q, ret_row);
}

int task_row_load(struct tx *tx, int64_t id, struct task_row *ret_row)
{
	return load_row(tx, id, /* change= */ NULL, ret_row);
}

int task_row_find(struct tx *tx, const struct scope *scope, int64_t id, struct task_row *ret_row)
{
	int r = task_row_load(tx, id, ret_row);

	if (r >= 0 && ((!scope->all && ret_row->task->owner_uid != scope->uid) ||
		       !scope_covers(scope, ret_row->project_id)))
		return fault_not_found(tx->fault, "task", NULL, id);
	return r;
}

int task_load(struct tx *tx, int64_t id, const struct ellu_task **ret_task)
{
	struct task_row row;
	int r = task_row_load(tx, id, &row);

	*ret_task = row.task;
	return r;
}

static int task_get_run(struct tx *tx, struct task_get *op)
{
	struct task_row row;
	int r = task_row_find(tx, &op->scope, op->task_id, &row);

	op->ret_task = row.task;
	return r;
}

STORE_OPERATION(task_get, STORE_POINT, false)

/* ---- History ---- */

/* Numbers of what is rolled back are not given again: gaps mean nothing. */
static void took_number(struct tx *tx, int64_t number)
{
	tx->store->writer.event_number = tx->last_event = number;
	if (!tx->first_event)
		tx->first_event = number;
}

/* Without RETURNING, for which SQLite makes a table of its own each time. */
int task_event_add(struct tx *tx, int64_t task_id, const char *status, const char *line,
		   int64_t *ret_sequence)
{
	int64_t number = tx->store->writer.event_number + 1;
	int r;

	r = db_run(tx->db, "UPDATE tasks SET sequence = sequence + 1, last_event = ?2 WHERE id = ?1",
		   "ii", task_id, number);
	if (r == 0)
		return fault_not_found(tx->fault, "task", NULL, task_id);
	if (r >= 0)
		r = db_run(tx->db, "INSERT INTO task_events (task_id, sequence, number, owner_uid,"
				   " project_id, at, status, hold, line) SELECT id, sequence, last_event,"
				   " owner_uid, project_id, ?2, coalesce(?3, status), hold, ?4 FROM tasks"
				   " WHERE id = ?1",
			   "iiss", task_id, tx->now, status, line);
	if (r < 0)
		return r;
	took_number(tx, number);
	if (ret_sequence)
		r = db_int(tx->db, ret_sequence, "SELECT sequence FROM tasks WHERE id = ?1", "i",
			   task_id);
	return r < 0 ? r : 0;
}

/* A line for the log: cut where it is too long, and only one line. */
static const char *log_text(struct tx *tx, const char *line)
{
	size_t size = strcspn(line, "\n");
	char *text;

	text = arena_strndup(tx->arena, line, utf8_cut(line, size, LOG_LINE_MAX));
	if (!text)
		tx->oom = true;
	return text;
}

static int task_log_run(struct tx *tx, struct task_log *op)
{
	int64_t sequence = 0;
	int r;

	op->ret_at = tx->now;
	op->ret_first_sequence = 0;
	r = db_int(tx->db, &sequence, "SELECT 1 FROM tasks WHERE id = ?1 AND finished_at IS NULL",
		   "i", op->task_id);
	if (r == 0)
		return 0; // the end came first, and nothing follows it
	op->ret_lines = tx_array(tx, op->n_lines, sizeof(*op->ret_lines));
	if (!op->ret_lines)
		return -ENOMEM;
	for (size_t i = 0; r >= 0 && i < op->n_lines; i++) {
		op->ret_lines[i] = log_text(tx, op->lines[i]);
		if (!op->ret_lines[i])
			return -ENOMEM;
		r = task_event_add(tx, op->task_id, NULL, op->ret_lines[i], &sequence);
		if (i == 0)
			op->ret_first_sequence = sequence;
	}
	return r;
}

STORE_OPERATION(task_log, STORE_RECORD, true)

/* ---- Beginning ---- */

/* A full queue says nothing of the request: its key is free for another try. */
static const char *key_of(const struct task_new *task)
{
	bool full = task->rejected && task->rejected->code == ELLU_E_QUEUE_FULL;

	return full ? NULL : task->idempotency_key;
}

static int insert_row(struct tx *tx, const struct task_new *task, const char *status,
		      int64_t n_events, int64_t *ret_id)
{
	const char *error;
	int r;

	r = tx_encode_fault(tx, task_is_rejected(task) ? task->rejected : NULL, &error);
	return r < 0 ? r :
		       db_insert(tx->db, ret_id,
			      "INSERT INTO tasks (owner_uid, project_id, name, experiment_id, status,"
			      " priority, created_at, finished_at, time_limit_usec, retry_of, sequence,"
			      " error, idempotency_key, request_hash, kind, max_connections,"
			      " cost_limit_nanodollars, run_id, last_event, attempts, idle_claims,"
			      " started_at, instance, claimed_monotonic, recorded_at_claim)"
			      " VALUES (?1, ?2, ?3, nullif(?4, 0), ?5, ?6, ?7,"
			      " iif(?5 = 'REJECTED', ?7, NULL), ?8, nullif(?9, 0), ?17, ?10, ?11, ?12,"
			      " ?13, ?14, ?15, nullif(?16, 0), ?18, ?19, ?19, iif(?19, ?7, NULL),"
			      " iif(?19, ?20, NULL), iif(?19, ?21, NULL), " RUN_RECORDED("?16") ")",
			      "iisissiiissssIIi" "iibii", task->place.owner_uid, task->place.project_id,
			      task->name, task->experiment_id, status, task->priority, tx->now,
			      (int64_t)(task->time_limit_seconds * USEC_PER_SEC), task->retry_of, error,
			      key_of(task), key_of(task) ? task->request_hash : NULL,
			      task_kind_name(task->kind), task->max_connections, task->cost_limit,
			      task->run_id, n_events, tx->store->writer.event_number + n_events,
			      task->start, tx->store->instance, clock_monotonic_usec());
}

/* An entry of a new task, whose row has it already. */
static int insert_event(struct tx *tx, const struct task_new *task, int64_t id, int64_t *sequence,
			const char *status, const char *line)
{
	int64_t number = tx->store->writer.event_number + 1;
	int r;

	r = db_run(tx->db, "INSERT INTO task_events (task_id, sequence, number, owner_uid, project_id,"
			   " at, status, line) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
		   "iiiiiiss", id, ++*sequence, number, task->place.owner_uid, task->place.project_id,
		   tx->now, status, line);
	if (r >= 0)
		took_number(tx, number);
	return r;
}

/* What its run recorded last was by an earlier claim. */
static int begin_recording(struct tx *tx, int64_t task_id)
{
	return db_run(tx->db, "UPDATE run_epochs SET recorded_monotonic = NULL"
			      " WHERE recorded_monotonic IS NOT NULL AND run_id ="
			      "  (SELECT run_id FROM tasks WHERE id = ?1)", "i", task_id);
}

int task_insert(struct tx *tx, const struct task_new *task, int64_t *ret_id)
{
	const char *status = task_is_rejected(task) ? "REJECTED" : "PENDING";
	size_t n_lines = task->log ? task->log->n : 0;
	int64_t sequence = 0;
	int r;

	r = insert_row(tx, task, task->start ? "STARTED" : status,
		       1 + (int64_t)n_lines + task->start, ret_id);
	if (r >= 0)
		r = insert_event(tx, task, *ret_id, &sequence, status, NULL);
	for (size_t i = 0; r >= 0 && i < n_lines; i++)
		r = insert_event(tx, task, *ret_id, &sequence, status,
				 log_text(tx, task->log->items[i]));
	if (r >= 0 && task->start)
		r = insert_event(tx, task, *ret_id, &sequence, "STARTED", NULL);
	if (r >= 0 && task->start)
		r = begin_recording(tx, *ret_id);
	return r;
}

/* PENDING without a hold to STARTED: 1, 0 when it was not (any more). */
static int task_start(struct tx *tx, int64_t task_id, int64_t *ret_attempt)
{
	int r;

	/* A claim is idle when nothing was recorded since the one before. */
	r = db_int(tx->db, ret_attempt,
		   "UPDATE tasks SET status = 'STARTED', attempts = attempts + 1, instance = ?2,"
		   " started_at = coalesce(started_at, ?3), claimed_monotonic = ?4, idle_claims ="
		   " iif(attempts > 0 AND recorded_at_claim = " TASK_RECORDED ", idle_claims + 1, 1),"
		   " recorded_at_claim = " TASK_RECORDED " WHERE id = ?1 AND status = 'PENDING'"
		   " AND hold IS NULL RETURNING attempts",
		   "iiii", task_id, tx->store->instance, tx->now, clock_monotonic_usec());
	if (r <= 0)
		return r;
	r = begin_recording(tx, task_id);
	if (r >= 0)
		r = task_event_add(tx, task_id, "STARTED", NULL, NULL);
	return r < 0 ? r : 1;
}

/* Claimed too often for nothing: it would go on like that for ever. */
static int give_up(struct tx *tx, int64_t task_id)
{
	struct fault fault;
	const char *error;
	int r;

	fault_set(&fault, ELLU_E_INTERNAL,
		  "claimed %d times in a row without recording anything", TASK_CLAIMS_MAX);
	r = tx_encode_fault(tx, &fault, &error);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE tasks SET status = 'FAILURE', finished_at = ?2, error = ?3"
				   " WHERE id = ?1 AND status = 'PENDING' AND hold IS NULL AND idle_claims >= ?4"
				   " AND recorded_at_claim = " TASK_RECORDED,
			   "iisb", task_id, tx->now, error, TASK_CLAIMS_MAX);
	if (r <= 0)
		return r;
	r = task_event_add(tx, task_id, "FAILURE", NULL, NULL);
	return r < 0 ? r : 1;
}

static int task_claim_run(struct tx *tx, struct task_claim *op)
{
	int r;

	op->ret_changed = false;
	r = give_up(tx, op->task_id);
	if (r == 0) {
		r = task_start(tx, op->task_id, &op->ret_attempt);
		op->ret_changed = r > 0;
	}
	if (r > 0 && op->ret_changed && op->trial)
		r = db_run(tx->db, "UPDATE tasks SET suspect = -1 WHERE id = ?1", "i", op->task_id);
	return r < 0 ? r : task_load(tx, op->task_id, &op->ret_task);
}

static int task_acquit_run(struct tx *tx, struct task_acquit *op)
{
	return db_run(tx->db, "UPDATE tasks SET suspect = 0 WHERE id = ?1", "i", op->task_id);
}

STORE_OPERATION(task_acquit, STORE_WRITE, false)

STORE_OPERATION(task_claim, STORE_WRITE, true)

/* ---- End ---- */

static int keep_results(struct tx *tx, int64_t task_id, const struct ellu_task_result *result)
{
	const char *results;
	int r;

	r = tx_encode(tx, &ellu_experiment_results_type, result->results, &results);
	return r < 0 ? r :
		       db_run(tx->db, "UPDATE experiments SET results = ?2, updated_at = ?3 WHERE id ="
				      " (SELECT experiment_id FROM tasks WHERE id = ?1)",
			      "isi", task_id, results, tx->now);
}

static int budget_hold(struct tx *tx, int64_t task_id, const char **ret_hold)
{
	enum budget budget = BUDGET_LEFT;
	struct task_row row;
	int r = task_row_load(tx, task_id, &row);

	if (r >= 0)
		r = budget_find(tx, &row, &budget);
	*ret_hold = budget == BUDGET_LEFT ? NULL : ELLU_HOLD_BUDGET;
	return r;
}

/* What cannot be told is left out: the task has ended all the same. */
static int encode_outcome(struct tx *tx, struct task_change *op, const char **ret_error,
			  const char **ret_result)
{
	int r = tx_encode(tx, &ellu_error_type, op->error, ret_error);

	if (r >= 0)
		r = tx_encode(tx, &ellu_task_result_type, op->result, ret_result);
	if (r >= 0 || r == -ENOMEM)
		return r;
	op->ret_unfit = true;
	*ret_error = *ret_result = NULL;
	return 0;
}

static int task_change_run(struct tx *tx, struct task_change *op)
{
	const char *status = task_status_name(op->status), *hold = NULL, *error, *result;
	struct task_row row;
	int r = 0;

	op->ret_changed = op->ret_unfit = false;
	if (op->over_budget)
		r = budget_hold(tx, op->task_id, &hold);
	if (r >= 0)
		r = encode_outcome(tx, op, &error, &result);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE tasks SET status = ?3,"
				   " hold = iif(?3 = 'PENDING', coalesce(hold, ?8), NULL),"
				   " finished_at = iif(?3 = 'PENDING', NULL, ?4),"
				   " idle_claims = idle_claims - (?3 = 'PENDING' AND idle_claims > 0),"
				   " suspect = 0,"
				   " running_usec = running_usec + ?5, error = ?6, result = ?7"
				   " WHERE id = ?1 AND (?2 = 0 OR attempts = ?2)"
				   " AND status IN ('PENDING', 'STARTED') AND status <> ?3",
			   "iisiisss", op->task_id, op->attempt, status, tx->now, op->running_usec,
			   error, result, hold);
	if (r > 0) {
		op->ret_changed = true;
		r = task_event_add(tx, op->task_id, status, NULL, NULL);
		if (r >= 0 && op->status == TASK_SUCCESS)
			r = run_succeeded(tx, op->task_id);
		if (r >= 0 && op->status != TASK_PENDING)
			r = response_order_due_task(tx, op->task_id);
		if (r >= 0 && result && op->result->results)
			r = keep_results(tx, op->task_id, op->result);
	}
	if (r >= 0)
		r = load_row(tx, op->task_id, op->ret_changed ? op : NULL, &row);
	if (r >= 0)
		op->ret_task = row.task;
	return r;
}

STORE_OPERATION(task_change, STORE_WRITE, !op->asked)
