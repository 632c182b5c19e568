/*
 * Going on after a task that ended without success is a new task of the same run, an experiment's
 * or one that rates, and does what is missing there. It belongs to whom the old one belonged to,
 * whoever asks.
 */
#include <errno.h>

#include "daemon/store/runs/experiment.h"
#include "daemon/store/tasks/task_submit.h"
#include "proto/generated/interface.h"

struct retry {
	struct tx *tx;
	struct task_retry *op;
	const struct ellu_task *old;
	struct place place;
	struct experiment_row experiment; // zeroed: none
	int64_t run_id; // 0: none
	struct fault rejected; // code 0: not
};

static int load(struct retry *retry)
{
	int64_t id = retry->op->arguments->id, experiment_id;
	struct tx *tx = retry->tx;
	int r;

	r = task_load(tx, id, &retry->old);
	if (r >= 0)
		r = task_run(tx, id, &retry->run_id, &experiment_id);
	if (r >= 0)
		r = db_int(tx->db, &retry->place.project_id, "SELECT project_id FROM tasks WHERE id = ?1",
			   "i", id);
	if (r < 0)
		return r;
	retry->place.owner_uid = retry->old->owner_uid;
	return experiment_id ? experiment_row_load(tx, experiment_id, &retry->experiment) : 0;
}

/* Whether there is something to go on with. */
static int check_old(struct retry *retry)
{
	const struct ellu_task *old = retry->old;
	struct fault *fault = retry->tx->fault;

	switch (task_status_from_name(old->status)) {
	case TASK_PENDING:
	case TASK_STARTED:
		return fault_conflict(fault, "task", old->name, old->id, "it is %s", old->status);
	case TASK_SUCCESS:
		return fault_conflict(fault, "task", old->name, old->id,
				      "it succeeded; RetryFailed asks again for failed items");
	case TASK_REJECTED:
		if (!retry->run_id)
			return fault_conflict(fault, "task", old->name, old->id,
					      "it was rejected before anything was made: submit it "
					      "again");
		break;
	default:
		break;
	}
	return experiment_check_idle(retry->tx, &retry->experiment);
}

static int insert(struct retry *retry, const char *hash)
{
	const struct ellu_retry_task_request *a = retry->op->arguments;
	const struct ellu_task *old = retry->old;
	struct task_new task = {
		.kind = task_kind_from_name(old->kind),
		.place = retry->place,
		.name = old->name,
		.experiment_id = retry->experiment.id,
		.run_id = retry->run_id,
		.priority = a->priority ? a->priority : old->priority,
		.time_limit_seconds = a->time_limit_seconds ? *a->time_limit_seconds :
							      old->time_limit_seconds,
		.max_connections = old->max_connections,
		.cost_limit = a->cost_limit ? a->cost_limit : old->cost_limit,
		.retry_of = old->id,
		.idempotency_key = a->idempotency_key,
		.request_hash = hash,
		.rejected = retry->rejected.code ? &retry->rejected : NULL,
	};

	return task_submit_insert(retry->tx, &retry->op->submit, &task);
}

static int task_retry_run(struct tx *tx, struct store_request *request)
{
	struct task_retry *op = (struct task_retry *)request;
	struct retry *retry = tx_alloc(tx, sizeof(*retry));
	const int64_t *cost_limit;
	char hash[IDENTITY_SIZE];
	int r;

	if (!retry)
		return -ENOMEM;
	retry->tx = tx;
	retry->op = op;
	task_submit_begin(&op->submit);
	r = task_check_scope(tx, &op->submit.scope, op->arguments->id);
	if (r >= 0)
		r = load(retry);
	if (r >= 0)
		r = task_submit_hash(tx, &ellu_retry_task_request_type, op->arguments, hash);
	if (r >= 0)
		r = task_submit_find_key(tx, &op->submit, retry->place.owner_uid,
					 op->arguments->idempotency_key, hash);
	if (r != 0)
		return r < 0 ? r : 0;
	r = check_old(retry);
	cost_limit = op->arguments->cost_limit ? op->arguments->cost_limit : retry->old->cost_limit;
	if (r >= 0)
		r = task_submit_check_room(tx);
	if (r >= 0)
		r = task_submit_check_run(tx, &op->submit, retry->run_id, cost_limit,
					  &retry->rejected);
	return r < 0 ? r : insert(retry, hash);
}

void store_task_retry(struct store *store, struct task_submit *submit)
{
	tx_post(store, &submit->request, STORE_WRITE, task_retry_run);
}
