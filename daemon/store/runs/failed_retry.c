/*
 * Asking again for what failed begins a new round of the experiment: from then on an error that
 * was recorded in an earlier one is missing. So nothing has to be cleared, however many there
 * are, and the first claim counts what is left.
 */
#include "daemon/store/runs/experiment.h"
#include "daemon/store/tasks/task_submit.h"
#include "proto/generated/interface.h"

/* Failed responses are missing at once; which ratings are is counted when the task begins, and
 * until then none is told of. */
static int begin_round(struct tx *tx, int64_t run_id)
{
	int r;

	r = db_run(tx->db, "UPDATE run_epochs SET generated = generated - failed,"
			   " rated = 0, ratings = 0, failed = 0 WHERE run_id = ?1", "i", run_id);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE runs SET counters_stale = counters_stale + 1"
				   " WHERE id = ?1", "i", run_id);
	return r < 0 ? r : 0;
}

static int insert(struct tx *tx, struct failed_retry *op, const struct experiment_row *experiment,
		  const char *hash, const struct fault *rejected)
{
	const struct ellu_retry_failed_request *a = op->arguments;
	const struct task_new task = {
		.kind = TASK_KIND_EXPERIMENT,
		.place = { experiment->owner_uid, experiment->project_id },
		.name = experiment->name,
		.experiment_id = experiment->id,
		.run_id = experiment->run_id,
		.priority = a->priority,
		.time_limit_seconds = *a->time_limit_seconds,
		.max_connections = a->max_connections,
		.cost_limit = a->cost_limit,
		.retry_of = experiment->task_id,
		.idempotency_key = a->idempotency_key,
		.request_hash = hash,
		.rejected = rejected->code ? rejected : NULL,
	};

	return task_submit_insert(tx, &op->submit, &task);
}

static int submit(struct tx *tx, struct failed_retry *op, const struct experiment_row *experiment,
		  const char *hash, const struct fault *rejected)
{
	int r = 0;

	if (!rejected->code)
		r = begin_round(tx, experiment->run_id);
	if (r >= 0)
		r = insert(tx, op, experiment, hash, rejected);
	if (r >= 0 && !rejected->code)
		r = db_run(tx->db, "UPDATE runs SET round = ?2 WHERE id = ?1", "ii",
			   experiment->run_id, op->submit.ret_task->id);
	return r < 0 ? r : 0;
}

static int failed_retry_run(struct tx *tx, struct store_request *request)
{
	struct failed_retry *op = (struct failed_retry *)request;
	struct experiment_row experiment;
	struct fault rejected = { 0 };
	char hash[IDENTITY_SIZE];
	int r;

	task_submit_begin(&op->submit);
	r = experiment_row_resolve(tx, &op->submit.scope, op->arguments->experiment, &experiment);
	if (r >= 0)
		r = task_submit_hash(tx, &ellu_retry_failed_request_type, op->arguments, hash);
	if (r >= 0)
		r = task_submit_find_key(tx, &op->submit, experiment.owner_uid,
					 op->arguments->idempotency_key, hash);
	if (r != 0)
		return r < 0 ? r : 0;
	r = experiment_check_idle(tx, &experiment);
	if (r >= 0)
		r = task_submit_check_room(tx);
	if (r >= 0)
		r = task_submit_check_run(tx, &op->submit, experiment.run_id,
					  op->arguments->cost_limit, &rejected);
	return r < 0 ? r : submit(tx, op, &experiment, hash, &rejected);
}

void store_failed_retry(struct store *store, struct task_submit *submit)
{
	tx_post(store, &submit->request, STORE_WRITE, failed_retry_run);
}
