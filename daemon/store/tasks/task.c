#include "daemon/store/tasks/task.h"

#include <errno.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/store/engine/store_internal.h"
#include "daemon/store/runs/run.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/utf8.h"

int task_event_add(struct tx *tx, int64_t task_id, const char *status, const char *line,
		   int64_t *ret_sequence)
{
	int64_t sequence, number = tx->store->writer.event_number + 1;
	int r;

	r = db_int(tx->db, &sequence, "UPDATE tasks SET sequence = sequence + 1, last_event = ?2"
				      " WHERE id = ?1 RETURNING sequence", "ii", task_id, number);
	if (r < 0)
		return r;
	if (r == 0)
		return fault_not_found(tx->fault, "task", NULL, task_id);
	r = db_run(tx->db, "INSERT INTO task_events (task_id, sequence, number, owner_uid, project_id,"
			   " at, status, hold, line) SELECT id, sequence, last_event, owner_uid,"
			   " project_id, ?2, coalesce(?3, status), hold, ?4 FROM tasks WHERE id = ?1",
		   "iiss", task_id, tx->now, status, line);
	if (r < 0)
		return r;
	/* Numbers of what is rolled back are not given again: gaps mean nothing. */
	tx->store->writer.event_number = tx->last_event = number;
	if (!tx->first_event)
		tx->first_event = number;
	if (ret_sequence)
		*ret_sequence = sequence;
	return 0;
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

/* A full queue says nothing of the request: its key is free for another try. */
static const char *key_of(const struct task_new *task)
{
	bool full = task->rejected && task->rejected->code == ELLU_E_QUEUE_FULL;

	return full ? NULL : task->idempotency_key;
}

int task_insert(struct tx *tx, const struct task_new *task, int64_t *ret_id)
{
	const char *status = task->rejected ? "REJECTED" : "PENDING", *error;
	int r;

	r = tx_encode_fault(tx, task->rejected, &error);
	if (r >= 0)
		r = db_run(tx->db, "INSERT INTO tasks (owner_uid, project_id, name,"
				   " experiment_id, status, priority, created_at, finished_at,"
				   " time_limit_usec, retry_of, sequence, error, idempotency_key,"
				   " request_hash, kind, max_connections, cost_limit_nanodollars,"
				   " run_id)"
				   " VALUES (?1, ?2, ?3, nullif(?4, 0), ?5, ?6, ?7,"
				   " iif(?5 = 'REJECTED', ?7, NULL), ?8, nullif(?9, 0), 0, ?10, ?11,"
				   " ?12, ?13, ?14, ?15, nullif(?16, 0))",
			   "iisissiiissssIIi", task->place.owner_uid, task->place.project_id, task->name,
			   task->experiment_id, status, task->priority, tx->now,
			   (int64_t)(task->time_limit_seconds * USEC_PER_SEC), task->retry_of, error,
			   key_of(task), key_of(task) ? task->request_hash : NULL,
			   task_kind_name(task->kind), task->max_connections, task->cost_limit,
			   task->run_id);
	if (r < 0)
		return r;
	*ret_id = db_last_id(tx->db);
	r = task_event_add(tx, *ret_id, status, NULL, NULL);
	for (size_t i = 0; r >= 0 && task->log && i < task->log->n; i++)
		r = task_event_add(tx, *ret_id, NULL, log_text(tx, task->log->items[i]), NULL);
	return r;
}

int task_start(struct tx *tx, int64_t task_id, int64_t *ret_attempt)
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
	r = db_run(tx->db, "UPDATE run_epochs SET recorded_monotonic = NULL"
			   " WHERE recorded_monotonic IS NOT NULL AND run_id ="
			   "  (SELECT run_id FROM tasks WHERE id = ?1)", "i", task_id);
	if (r < 0)
		return r;
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

static int task_claim_run(struct tx *tx, struct store_request *request)
{
	struct task_claim *op = (struct task_claim *)request;
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

static int task_acquit_run(struct tx *tx, struct store_request *request)
{
	const struct task_acquit *op = (const struct task_acquit *)request;

	return db_run(tx->db, "UPDATE tasks SET suspect = 0 WHERE id = ?1", "i", op->task_id);
}

void store_task_acquit(struct store *store, struct task_acquit *op)
{
	tx_post(store, &op->request, STORE_WRITE, task_acquit_run);
}

void store_task_claim(struct store *store, struct task_claim *op)
{
	op->request.patient = true;
	tx_post(store, &op->request, STORE_WRITE, task_claim_run);
}

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
	const struct ellu_task *task;
	int r = task_load(tx, task_id, &task);

	*ret_hold = r >= 0 && task_is_over_budget(task) ? TASK_HOLD_BUDGET : NULL;
	return r;
}

static int task_change_run(struct tx *tx, struct store_request *request)
{
	struct task_change *op = (struct task_change *)request;
	const char *status = task_status_name(op->status), *hold = NULL, *error, *result;
	int r = 0;

	op->ret_changed = false;
	if (op->over_budget)
		r = budget_hold(tx, op->task_id, &hold);
	if (r >= 0)
		r = tx_encode(tx, &ellu_error_type, op->error, &error);
	if (r >= 0)
		r = tx_encode(tx, &ellu_task_result_type, op->result, &result);
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
			r = run_settle(tx, op->task_id);
		if (r >= 0 && op->result && op->result->results)
			r = keep_results(tx, op->task_id, op->result);
	}
	return r < 0 ? r : task_load(tx, op->task_id, &op->ret_task);
}

void store_task_change(struct store *store, struct task_change *op)
{
	op->request.patient = !op->asked;
	tx_post(store, &op->request, STORE_WRITE, task_change_run);
}

static int task_log_run(struct tx *tx, struct store_request *request)
{
	struct task_log *op = (struct task_log *)request;
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

void store_task_log(struct store *store, struct task_log *op)
{
	op->request.patient = true;
	tx_post(store, &op->request, STORE_RECORD, task_log_run);
}
