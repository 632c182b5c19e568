/*
 * Going on after a task that ended without success is a new task of the same run, an experiment's
 * or one that rates, and does what is missing there. It belongs to whom the old one belonged to,
 * whoever asks.
 */
#include <errno.h>
#include <inttypes.h>

#include "daemon/base/clock.h"
#include "daemon/store/tasks/task_submit.h"
#include "proto/generated/interface.h"

struct retry {
	struct tx *tx;
	struct task_retry *op;
	const struct ellu_task *old;
	struct place place;
	int64_t live_task_id; // of the experiment; 0: none
	const char *live_status;
	int64_t rating_run_id; // 0: the experiment's own run
	int64_t config_id; // 0: none, here and below
	int64_t judge_config_id;
	struct fault rejected; // code 0: not
};

static int load(struct retry *retry)
{
	struct tx *tx = retry->tx;
	QUERY q = NULL;
	int r;

	r = task_load(tx, retry->op->arguments->id, &retry->old);
	if (r >= 0)
		r = db_query(tx->db, &q, "SELECT t.owner_uid, t.project_id, l.id, l.status,"
					 " iif(n.id IS NULL, e.llm_config_id, NULL), j.llm_config_id, n.id"
					 " FROM tasks t LEFT JOIN rating_runs n ON n.id = t.rating_run_id"
					 " LEFT JOIN experiments e ON e.id = t.experiment_id"
					 " LEFT JOIN judges j ON j.id = coalesce(n.judge_id, e.judge_id)"
					 " LEFT JOIN tasks l ON l.experiment_id = t.experiment_id"
					 "  AND l.status IN ('PENDING', 'STARTED') WHERE t.id = ?1",
			     "i", retry->op->arguments->id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r < 0)
		return r;
	retry->place = (struct place){ .owner_uid = column_int(q, 0), .project_id = column_int(q, 1) };
	retry->live_task_id = column_int_or(q, 2, 0);
	retry->live_status = tx_text(tx, q, 3);
	retry->config_id = column_int_or(q, 4, 0);
	retry->judge_config_id = column_int_or(q, 5, 0);
	retry->rating_run_id = column_int_or(q, 6, 0);
	return tx->oom ? -ENOMEM : 0;
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
		if (task_kind_from_name(old->kind) == TASK_KIND_RATING ? !retry->rating_run_id :
									 !old->experiment_id)
			return fault_conflict(fault, "task", old->name, old->id,
					      "it was rejected before anything was made: submit it "
					      "again");
		break;
	default:
		break;
	}
	if (retry->live_task_id)
		return fault_conflict(fault, "experiment", old->name, *old->experiment_id,
				      "its task %" PRId64 " is %s", retry->live_task_id,
				      retry->live_status);
	return 0;
}

static int insert(struct retry *retry, const char *hash)
{
	const struct ellu_retry_task_request *a = retry->op->arguments;
	const struct ellu_task *old = retry->old;
	struct task_new task = {
		.kind = task_kind_from_name(old->kind),
		.place = retry->place,
		.name = old->name,
		.experiment_id = old->experiment_id ? *old->experiment_id : 0,
		.rating_run_id = retry->rating_run_id,
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
		r = task_submit_hash(&ellu_retry_task_request_type, op->arguments, hash);
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
		r = task_submit_check_config(tx, &op->submit.scope, retry->config_id, "llm_config",
					     cost_limit, &retry->rejected);
	if (r >= 0)
		r = task_submit_check_config(tx, &op->submit.scope, retry->judge_config_id,
					     "rating_llm_config", cost_limit, &retry->rejected);
	if (r < 0)
		return r;
	if (op->submit.queue_full && !retry->rejected.code)
		fault_set(&retry->rejected, ELLU_E_QUEUE_FULL, NULL);
	return insert(retry, hash);
}

void store_task_retry(struct store *store, struct task_submit *submit)
{
	tx_post(store, &submit->request, STORE_WRITE, task_retry_run);
}
