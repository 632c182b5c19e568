/*
 * Asking again for what failed begins a new round of the experiment: from then on an error that
 * was recorded in an earlier one is missing. So nothing has to be cleared, however many there
 * are, and the first claim counts what is left.
 */
#include <errno.h>
#include <inttypes.h>

#include "daemon/store/tasks/task_submit.h"
#include "proto/generated/interface.h"

struct failed {
	int64_t experiment_id;
	const char *name;
	struct place place;
	int64_t task_id; // the latest; 0: none
	int64_t config_id; // 0: none, here and below
	int64_t judge_config_id;
	int64_t live_task_id;
	const char *live_status;
};

static int load(struct tx *tx, const struct failed_retry *op, struct failed *failed)
{
	QUERY q = NULL;
	int r;

	r = resource_resolve(tx, RESOURCE_EXPERIMENT, &op->submit.scope, op->arguments->experiment,
			     &failed->experiment_id);
	if (r >= 0)
		r = db_query(tx->db, &q,
			     "SELECT e.name, e.owner_uid, e.project_id, e.task_id, e.llm_config_id,"
			     " j.llm_config_id, l.id, l.status FROM experiments e"
			     " LEFT JOIN judges j ON j.id = e.judge_id LEFT JOIN tasks l"
			     " ON l.experiment_id = e.id AND l.status IN ('PENDING', 'STARTED')"
			     " WHERE e.id = ?1", "i", failed->experiment_id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r < 0)
		return r;
	failed->name = tx_text(tx, q, 0);
	failed->place = (struct place){ .owner_uid = column_int(q, 1), .project_id = column_int(q, 2) };
	failed->task_id = column_int_or(q, 3, 0);
	failed->config_id = column_int_or(q, 4, 0);
	failed->judge_config_id = column_int_or(q, 5, 0);
	failed->live_task_id = column_int_or(q, 6, 0);
	failed->live_status = tx_text(tx, q, 7);
	return tx->oom ? -ENOMEM : 0;
}

/* Failed responses are missing at once; which ratings are is counted when the task begins, and
 * until then none is told of. */
static int begin_round(struct tx *tx, const struct failed *failed)
{
	int r;

	r = db_run(tx->db, "UPDATE experiment_epochs SET generated = generated - failed,"
			   " rated = 0, ratings = 0, failed = 0 WHERE experiment_id = ?1",
		   "i", failed->experiment_id);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE experiments SET counters_stale = counters_stale + 1"
				   " WHERE id = ?1", "i", failed->experiment_id);
	return r < 0 ? r : 0;
}

static int insert(struct tx *tx, struct failed_retry *op, const struct failed *failed,
		  const char *hash, const struct fault *rejected)
{
	const struct ellu_retry_failed_request *a = op->arguments;
	const struct task_new task = {
		.kind = TASK_KIND_EXPERIMENT,
		.place = failed->place,
		.name = failed->name,
		.experiment_id = failed->experiment_id,
		.priority = a->priority,
		.time_limit_seconds = *a->time_limit_seconds,
		.max_connections = a->max_connections,
		.cost_limit = a->cost_limit,
		.retry_of = failed->task_id,
		.idempotency_key = a->idempotency_key,
		.request_hash = hash,
		.rejected = rejected->code ? rejected : NULL,
	};

	return task_submit_insert(tx, &op->submit, &task);
}

static int submit(struct tx *tx, struct failed_retry *op, const struct failed *failed,
		  const char *hash, const struct fault *rejected)
{
	int r = 0;

	if (!rejected->code)
		r = begin_round(tx, failed);
	if (r >= 0)
		r = insert(tx, op, failed, hash, rejected);
	if (r >= 0 && !rejected->code)
		r = db_run(tx->db, "UPDATE experiments SET retry_round = ?2 WHERE id = ?1", "ii",
			   failed->experiment_id, op->submit.ret_task->id);
	return r < 0 ? r : 0;
}

static int failed_retry_run(struct tx *tx, struct store_request *request)
{
	struct failed_retry *op = (struct failed_retry *)request;
	struct fault rejected = { 0 };
	char hash[IDENTITY_SIZE];
	struct failed failed;
	int r;

	task_submit_begin(&op->submit);
	r = load(tx, op, &failed);
	if (r >= 0)
		r = task_submit_hash(&ellu_retry_failed_request_type, op->arguments, hash);
	if (r >= 0)
		r = task_submit_find_key(tx, &op->submit, failed.place.owner_uid,
					 op->arguments->idempotency_key, hash);
	if (r != 0)
		return r < 0 ? r : 0;
	if (failed.live_task_id)
		return fault_conflict(tx->fault, "experiment", failed.name, failed.experiment_id,
				      "its task %" PRId64 " is %s", failed.live_task_id,
				      failed.live_status);
	r = task_submit_check_room(tx);
	if (r >= 0)
		r = task_submit_check_config(tx, &op->submit.scope, failed.config_id, "llm_config",
					     op->arguments->cost_limit, &rejected);
	if (r >= 0)
		r = task_submit_check_config(tx, &op->submit.scope, failed.judge_config_id,
					     "rating_llm_config", op->arguments->cost_limit, &rejected);
	if (r >= 0 && op->submit.queue_full && !rejected.code)
		fault_set(&rejected, ELLU_E_QUEUE_FULL, NULL);
	return r < 0 ? r : submit(tx, op, &failed, hash, &rejected);
}

void store_failed_retry(struct store *store, struct task_submit *submit)
{
	tx_post(store, &submit->request, STORE_WRITE, failed_retry_run);
}
