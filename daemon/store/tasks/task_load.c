#include <errno.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/store/runs.h"
#include "daemon/store/tasks/task.h"
#include "proto/generated/interface.h"
#include "proto/usage.h"

struct progress_sum {
	struct ellu_progress *progress;
	struct tx_list epochs;
	int64_t n_measures;
	int64_t cost; // -1: unknown
	struct run_units units;
};

static int epoch_counters(struct tx *tx, sqlite3_stmt *q, struct progress_sum *sum)
{
	struct ellu_epoch_progress *told = TX_RECORD(tx, struct ellu_epoch_progress);
	const struct run_epoch epoch = {
		.epoch = column_int(q, 0),
		.total = column_int(q, 1),
		.generated = column_int(q, 2),
		.rated = column_int(q, 3),
		.failed = column_int(q, 4),
		.ratings = column_int(q, 8),
	};
	struct run_units units = run_epoch_units(&epoch, sum->n_measures, /* rating= */ false);

	if (!told)
		return -ENOMEM;
	told->epoch = epoch.epoch;
	told->total = epoch.total;
	told->generated = epoch.generated;
	told->rated = epoch.rated;
	sum->progress->total_responses += epoch.total;
	sum->progress->responses_generated += epoch.generated;
	sum->progress->responses_rated += epoch.rated;
	sum->progress->failed += epoch.failed;
	usage_add(&sum->progress->input_tokens, column_int(q, 5));
	usage_add(&sum->progress->output_tokens, column_int(q, 6));
	usage_add(&sum->cost, column_int_or(q, 7, -1));
	sum->units.due += units.due;
	sum->units.recorded += units.recorded;
	return tx_append(tx, &sum->epochs, told);
}

int task_progress(struct tx *tx, int64_t experiment_id, const struct ellu_progress **ret_progress)
{
	struct progress_sum sum = { .progress = TX_RECORD(tx, struct ellu_progress), .cost = -1 };
	QUERY q = NULL;
	int r;

	if (!sum.progress)
		return -ENOMEM;
	r = db_int(tx->db, &sum.n_measures, "SELECT count(*) FROM experiment_measures"
					    " WHERE experiment_id = ?1", "i", experiment_id);
	if (r >= 0)
		r = db_query(tx->db, &q, "SELECT epoch, total, generated, rated, failed, input_tokens,"
					 " output_tokens, cost_nanodollars, ratings FROM experiment_epochs"
					 " WHERE experiment_id = ?1 ORDER BY epoch", "i", experiment_id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0)
		r = epoch_counters(tx, q, &sum);
	if (r < 0)
		return r;
	sum.progress->epochs = tx_list_items(tx, &sum.epochs);
	sum.progress->n_epochs = sum.epochs.n;
	if (sum.cost >= 0)
		sum.progress->cost = tx_int_value(tx, sum.cost);
	sum.progress->percent_complete = run_units_percent(sum.units);
	*ret_progress = sum.progress;
	return 0;
}

int rating_run_progress(struct tx *tx, int64_t rating_run_id,
			const struct ellu_progress **ret_progress)
{
	struct ellu_progress *progress = TX_RECORD(tx, struct ellu_progress);
	struct run_epoch counts = { 0 };
	QUERY q = NULL;
	int r;

	if (!progress)
		return -ENOMEM;
	r = db_query(tx->db, &q, "SELECT total_responses, rated, failed, input_tokens, output_tokens,"
				 " cost_nanodollars, ratings + ratings_before, counted, (SELECT count(*)"
				 "  FROM rating_run_measures WHERE rating_run_id = ?1)"
				 " FROM rating_runs WHERE id = ?1", "i", rating_run_id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r < 0)
		return r;
	counts.total = counts.generated = column_int(q, 0);
	counts.rated = column_int(q, 1);
	counts.failed = column_int(q, 2);
	counts.ratings = column_int(q, 6);
	progress->total_responses = progress->responses_generated = counts.total;
	progress->responses_rated = counts.rated;
	progress->failed = counts.failed;
	progress->input_tokens = column_int(q, 3);
	progress->output_tokens = column_int(q, 4);
	progress->cost = tx_int(tx, q, 5);
	progress->epochs = tx_array(tx, 0, sizeof(*progress->epochs));
	if (column_int(q, 7))
		progress->percent_complete = run_units_percent(
			run_epoch_units(&counts, column_int(q, 8), /* rating= */ true));
	*ret_progress = progress;
	return 0;
}

#define TASK_QUERY                                                                              \
	"SELECT t.kind, t.name, t.experiment_id, t.status, t.hold, t.priority, p.name,"         \
	" t.owner_uid, t.created_at, t.started_at, t.finished_at, t.time_limit_usec,"           \
	" t.running_usec, t.attempts, t.retry_of, t.sequence, t.error, t.result,"               \
	" t.max_connections, t.cost_limit_nanodollars, t.rating_run_id"                                          \
	" FROM tasks t JOIN projects p ON p.id = t.project_id WHERE t.id = ?1"

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
		r = rating_run_progress(tx, column_int(q, 20), &task->progress);
	else if (r >= 0 && task->experiment_id && strcmp(task->kind, "experiment") == 0)
		r = task_progress(tx, *task->experiment_id, &task->progress);
	*ret_task = task;
	return r < 0 ? r : 0;
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
