#include <errno.h>

#include "daemon/base/clock.h"
#include "daemon/store/runs/run.h"
#include "daemon/store/tasks/task.h"
#include "proto/generated/interface.h"

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
	int r;

	if (!progress)
		return -ENOMEM;
	r = run_counters(tx, run_id, &spec);
	for (size_t i = 0; r >= 0 && i < spec.n_epochs; i++) {
		const struct run_epoch *epoch = &spec.epochs[i];
		struct run_units more = run_epoch_units(epoch, (int64_t)spec.n_measures);

		progress->responses_generated += epoch->epoch ? epoch->generated : epoch->total;
		progress->responses_rated += epoch->rated;
		progress->failed += epoch->failed;
		units.due += more.due;
		units.recorded += more.recorded;
		if (epoch->epoch)
			r = tell_epoch(tx, epoch, &epochs);
		else if (!counted)
			units = (struct run_units){ .due = 1 };
	}
	progress->total_responses = spec.total_responses;
	progress->input_tokens = spec.input_tokens;
	progress->output_tokens = spec.output_tokens;
	if (spec.cost_nanodollars >= 0)
		progress->cost = tx_int_value(tx, spec.cost_nanodollars);
	progress->epochs = tx_list_items(tx, &epochs);
	progress->n_epochs = epochs.n;
	progress->percent_complete = run_units_percent(units);
	*ret_progress = progress;
	return r;
}

#define TASK_QUERY                                                                              \
	"SELECT t.kind, t.name, t.experiment_id, t.status, t.hold, t.priority, p.name,"         \
	" t.owner_uid, t.created_at, t.started_at, t.finished_at, t.time_limit_usec,"           \
	" t.running_usec, t.attempts, t.retry_of, t.sequence, t.error, t.result,"               \
	" t.max_connections, t.cost_limit_nanodollars, t.run_id, n.counters_stale"              \
	" FROM tasks t JOIN projects p ON p.id = t.project_id"                                  \
	" LEFT JOIN runs n ON n.id = t.run_id WHERE t.id = ?1"

static int fill(struct tx *tx, sqlite3_stmt *q, struct ellu_task *task)
{
	int r;

	task->kind = tx_text(tx, q, 0);
	task->name = tx_text(tx, q, 1);
	task->experiment_id = tx_int(tx, q, 2);
	task->status = tx_text(tx, q, 3);
	task->hold = tx_text(tx, q, 4);
	task->priority = tx_text(tx, q, 5);
	task->project = tx_text(tx, q, 6);
	task->owner_uid = column_int(q, 7);
	task->created_at = column_int(q, 8);
	task->started_at = tx_int(tx, q, 9);
	task->finished_at = tx_int(tx, q, 10);
	task->time_limit_seconds = (double)column_int(q, 11) / USEC_PER_SEC;
	task->running_seconds = (double)column_int(q, 12) / USEC_PER_SEC;
	task->attempts = column_int(q, 13);
	task->retry_of = tx_int(tx, q, 14);
	task->sequence = column_int(q, 15);
	task->max_connections = tx_int(tx, q, 18);
	task->cost_limit = tx_int(tx, q, 19);
	r = tx_decode(tx, &ellu_error_type, column_peek(q, 16), &task->error);
	if (r >= 0)
		r = tx_decode(tx, &ellu_task_result_type, column_peek(q, 17), &task->result);
	return r;
}

int task_load(struct tx *tx, int64_t id, const struct ellu_task **ret_task)
{
	struct ellu_task *task = TX_RECORD(tx, struct ellu_task);
	QUERY q = NULL;
	int r;

	if (!task)
		return -ENOMEM;
	r = db_query(tx->db, &q, TASK_QUERY, "i", id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r < 0)
		return r;
	if (r == 0)
		return fault_not_found(tx->fault, "task", NULL, id);
	task->id = id;
	r = fill(tx, q, task);
	if (r >= 0 && !column_null(q, 20))
		r = read_progress(tx, column_int(q, 20), column_int(q, 21) == 0, &task->progress);
	*ret_task = task;
	return r < 0 ? r : 0;
}

int task_run(struct tx *tx, int64_t id, int64_t *ret_run_id, int64_t *ret_experiment_id)
{
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT run_id, experiment_id FROM tasks WHERE id = ?1", "i", id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "task", NULL, id);
	*ret_run_id = column_int(q, 0);
	*ret_experiment_id = column_int(q, 1);
	return 0;
}

int task_check_scope(struct tx *tx, const struct scope *scope, int64_t task_id)
{
	int64_t one;
	int r;

	r = db_int(tx->db, &one, "SELECT 1 FROM tasks WHERE id = ?1 AND (owner_uid = ?2 OR ?3)",
		   "iib", task_id, scope->uid, (int)scope->all);
	return r == 0 ? fault_not_found(tx->fault, "task", NULL, task_id) : r < 0 ? r : 0;
}

static int task_get_run(struct tx *tx, struct store_request *request)
{
	struct task_get *op = (struct task_get *)request;
	int r;

	r = task_check_scope(tx, &op->scope, op->task_id);
	return r < 0 ? r : task_load(tx, op->task_id, &op->ret_task);
}

void store_task_get(struct store *store, struct task_get *op)
{
	tx_post(store, &op->request, STORE_POINT, task_get_run);
}
