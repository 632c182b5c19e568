#include "daemon/store/submit/task_submit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/resources/configs/panel.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/runs/run_configs.h"
#include "daemon/store/runs/experiment.h"
#include "daemon/store/runs/spending.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"

void task_submit_begin(struct task_submit *submit)
{
	submit->ret_task = NULL;
	submit->ret_attempt = 0;
	submit->ret_rows = NULL;
	submit->ret_n_rows = 0;
	submit->ret_existing = false;
	submit->ret_finished = false;
	submit->ret_criteria = NULL;
	submit->ret_n_criteria = 0;
}

int task_submit_hash(struct tx *tx, const struct record_type *type, const void *request,
		     char ret_hash[static IDENTITY_SIZE])
{
	static const char *const left_out[] = { "idempotency_key", "detach", "cancel_on_disconnect",
						"min_interval_seconds" };
	json_object *json = NULL;
	struct identity identity;
	const char *text;
	int r;

	r = record_encode(type, request, TO_DAEMON, &json);
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		json_object_object_del(json, left_out[i]);
	text = json_text(json, NULL);
	identity_init(&identity);
	identity_text(&identity, tx->store->secrets.salt);
	identity_text(&identity, type->name);
	r = text ? identity_json(&identity, text) : -ENOMEM;
	identity_done(&identity, ret_hash);
	json_object_put(json);
	return r;
}

int task_submit_existing(struct tx *tx, struct task_submit *submit, int64_t task_id)
{
	submit->ret_existing = true;
	return task_load(tx, task_id, &submit->ret_task);
}

int task_submit_find_key(struct tx *tx, struct task_submit *submit, int64_t owner_uid,
			 const char *hash)
{
	const char *key = task_submit_member(submit, "idempotency_key");
	struct task_row row;
	int64_t id;
	int r;

	if (!key)
		return 0;
	r = db_int(tx->db, &id, "SELECT id FROM tasks WHERE owner_uid = ?1 AND idempotency_key = ?2",
		   "is", owner_uid, key);
	if (r > 0)
		r = task_row_load(tx, id, &row);
	else
		return r;
	if (r < 0)
		return r;
	if (strcmp(row.request_hash, hash) != 0)
		return fault_conflict(tx->fault, "task", NULL, id,
				      "another request used this idempotency_key");
	submit->ret_existing = true;
	submit->ret_task = row.task;
	return 1;
}

int task_submit_check_room(struct tx *tx)
{
	int64_t free_bytes = store_free_bytes(tx->store);

	if (free_bytes >= 0 && free_bytes < STORE_FREE_BYTES_MIN)
		return fault_set(tx->fault, ELLU_E_STORAGE_FULL,
				 "The daemon's disk has %" PRId64 " MiB left; new tasks need %" PRId64 ".",
				 free_bytes >> 20, STORE_FREE_BYTES_MIN >> 20);
	return 0;
}

/* What an administrator once judged with by a config of his own is not the owner's to spend. */
static int check_owner(struct tx *tx, const struct scope *scope, int64_t config_id,
		       const char *part, struct fault *rejected)
{
	int64_t one;
	int r;

	r = scope->all ? 1 : db_int(tx->db, &one, "SELECT 1 FROM llm_configs WHERE id = ?1"
						  " AND (owner_uid = ?2 OR shared)",
				  "ii", config_id, scope->uid);
	if (r == 0)
		fault_invalid(rejected, part, "a config of one's own, or a shared one; this one is another "
			      "user's: rate again with `rating_llm_config`");
	return r < 0 ? r : 0;
}

/* What cannot be had now rejects the submission and is no error of the request. */
static int check_key(struct tx *tx, const struct ellu_llm_config *config, const char *part,
		     struct fault *rejected)
{
	struct fault *fault = tx->fault;
	struct ellu_llm_config *with_key;
	int r;

	if (!config->api_key_ref && !config->n_fingerprints)
		return 0;
	tx->fault = rejected;
	r = llm_config_load_key(tx, *config->id, tx_printf(tx, "%s.api_key_ref", part), &with_key);
	tx->fault = fault;
	if (r >= 0 || r == ELLU_E_INVALID_PARAMETER)
		return 0;
	*fault = *rejected;
	return r;
}

/* What may be limited has to have a price. */
static int check_prices(struct tx *tx, int64_t project_id, const struct ellu_llm_config *config,
			const char *part, const int64_t *cost_limit, struct fault *rejected)
{
	struct daily_budget today = { 0 };
	struct fault unpriced = { 0 };
	int r = cost_limit ? 0 : spending_daily(tx->db, project_id, tx->now, &today);

	if (r < 0 || (!cost_limit && !today.limited))
		return r;
	llm_config_check_prices(tx, config, &unpriced);
	if (!unpriced.code)
		return 0;
	if (cost_limit)
		*rejected = unpriced;
	else
		fault_invalid(rejected, part, "a config of which prices are known, since the project has a "
			      "daily_cost_limit: '%s' has no price_input and price_output, which are 0 where "
			      "it costs nothing", config->name);
	return 0;
}

int task_submit_check_config(struct tx *tx, const struct scope *scope, int64_t project_id,
			     const struct ellu_llm_config *config, const char *part,
			     const int64_t *cost_limit, struct fault *rejected)
{
	int r;

	if (!config || rejected->code)
		return 0;
	r = llm_config_check_there(tx, config, part, rejected);
	if (r == ELLU_E_INVALID_PARAMETER)
		return 0;
	if (r >= 0)
		r = check_owner(tx, scope, *config->id, part, rejected);
	if (r >= 0 && !rejected->code)
		r = check_key(tx, config, part, rejected);
	if (r >= 0 && !rejected->code)
		r = check_prices(tx, project_id, config, part, cost_limit, rejected);
	return r < 0 ? r : 0;
}

void task_submit_check_queue(const struct task_submit *submit, struct fault *rejected)
{
	if (submit->queue_full && !rejected->code)
		fault_set(rejected, ELLU_E_QUEUE_FULL, NULL);
}

static int check_config_id(struct tx *tx, const struct scope *scope, int64_t project_id, int64_t id,
			   const char *part, const int64_t *cost_limit, struct fault *rejected)
{
	struct ellu_llm_config *config = NULL;
	int r = id ? llm_config_load(tx, id, &config, NULL) : 0;

	return r < 0 ? r :
		       task_submit_check_config(tx, scope, project_id, config, part, cost_limit, rejected);
}

/* Answers that no model gives have to be there. */
static int check_answers(struct tx *tx, const struct run_row *run, struct fault *rejected)
{
	int64_t missing = 0;
	int r;

	if (!run->collection_id || run->prompt_template_id || run->input_column || run->response_column)
		return 0;
	r = db_int(tx->db, &missing, "SELECT n.total_cases * n.n_epochs - coalesce((SELECT sum(generated)"
				     "  FROM run_epochs WHERE run_id = n.id), 0) FROM runs n WHERE n.id = ?1"
				     " AND NOT EXISTS (SELECT 1 FROM run_evaluators WHERE run_id = n.id)", "i",
		   run->id);
	if (r >= 0 && missing > 0)
		fault_invalid(rejected, "experiment", "one that has an answer for each case: %" PRId64
			      " are missing, for AddResponses to bring; RateExperiment rates the others",
			      missing);
	return r < 0 ? r : 0;
}

struct asked_check {
	struct tx *tx;
	const struct scope *scope;
	int64_t project_id;
	const int64_t *cost_limit;
	struct fault *rejected;
};

static int check_asked(void *userdata, enum asked asked, int64_t id)
{
	const struct asked_check *check = userdata;

	return check_config_id(check->tx, check->scope, check->project_id, id,
			       asked == ASKED_INSTEAD ? "fallback_llm_configs" : "llm_config", check->cost_limit,
			       check->rejected);
}

int task_submit_check_run(struct tx *tx, const struct task_submit *submit, int64_t run_id,
			  const int64_t *cost_limit, struct fault *rejected)
{
	struct asked_check check = { tx, &submit->scope, 0, cost_limit, rejected };
	struct panel panel = { 0 };
	struct run_row run = { 0 };
	int r = run_id ? run_row_load(tx, run_id, &run) : 0;

	if (r >= 0)
		r = check_answers(tx, &run, rejected);
	if (r >= 0)
		r = check_config_id(tx, &submit->scope, run.project_id, run.config_id, "llm_config",
				    cost_limit, rejected);
	if (r >= 0)
		r = check_config_id(tx, &submit->scope, run.project_id, run.judge.config_id,
				    "rating_llm_config", cost_limit, rejected);
	check.project_id = run.project_id;
	if (r >= 0 && run_id)
		r = run_configs_each(tx, run_id, check_asked, &check);
	if (r >= 0 && run.judge.reduction)
		r = panel_load(tx, run.judge_id, &panel);
	for (size_t i = 0; r >= 0 && i < panel.n; i++)
		r = check_config_id(tx, &submit->scope, run.project_id, panel.judges[i].config_id,
				    "rating_llm_configs", cost_limit, rejected);
	if (r >= 0)
		task_submit_check_queue(submit, rejected);
	return r < 0 ? r : 0;
}

/* A transaction with nothing else in it begins anew. A savepoint would keep a copy of each page. */
static int take_back(struct tx *tx)
{
	int r = db_run(tx->db, tx->alone ? "ROLLBACK" : "ROLLBACK TO parts", "");

	return r >= 0 && tx->alone ? db_run(tx->db, "BEGIN IMMEDIATE", "") : r;
}

int task_submit_try(struct tx *tx, int (*run)(void *userdata), void *userdata)
{
	struct writer *writer = &tx->store->writer;
	size_t secrets = writer->secrets.n;
	int r, ended = 0;

	r = tx->alone ? 0 : db_run(tx->db, "SAVEPOINT parts", "");
	if (r >= 0)
		r = run(userdata);
	if (r > 0) {
		secrets_rollback(&tx->store->secrets, &writer->secrets, secrets);
		ended = take_back(tx);
	}
	if (r >= 0 && ended >= 0 && !tx->alone)
		ended = db_run(tx->db, "RELEASE parts", "");
	return ended < 0 ? ended : r;
}

/* Failed responses are missing at once; which ratings are is counted when the task begins, and
 * until then none is told of. */
static int begin_round(struct tx *tx, int64_t run_id)
{
	return db_run(tx->db, "UPDATE run_epochs SET generated = generated - failed,"
			      " rated = 0, ratings = 0, decided = 0, yes = 0, failed = 0 WHERE run_id = ?1", "i", run_id);
}

/* What the request says goes before what the task has by itself. */
static void take_options(const struct task_submit *submit, struct task_new *task)
{
	const char *priority = task_submit_member(submit, "priority");
	const double *time_limit = task_submit_member(submit, "time_limit_seconds");
	const int64_t *max_connections = task_submit_member(submit, "max_connections");
	const int64_t *cost_limit = task_submit_member(submit, "cost_limit");

	task->priority = priority ? priority : task->priority;
	task->time_limit_seconds = time_limit ? *time_limit : task->time_limit_seconds;
	task->max_connections = max_connections ? max_connections : task->max_connections;
	task->cost_limit = cost_limit ? cost_limit : task->cost_limit;
	task->idempotency_key = task_submit_member(submit, "idempotency_key");
}

/* Its items are rows, each of which is scored in parts. */
static bool scores_rows(enum task_kind kind)
{
	return kind == TASK_KIND_BATCH_EVALUATION || kind == TASK_KIND_PREFERENCE;
}

/* Items that nobody scored are missing at once; of the others nothing has to be counted again. */
static int begin_batch_round(struct tx *tx, int64_t run_id)
{
	return db_run(tx->db, "UPDATE run_epochs SET generated = generated - failed, rated = rated - failed,"
			      " failed = 0 WHERE run_id = ?1", "i", run_id);
}

int task_submit_insert(struct tx *tx, struct task_submit *submit, struct task_new *task)
{
	bool is_batch = scores_rows(task->kind);
	bool rejected = task_is_rejected(task), round = task->begins_round && !rejected;
	int64_t id;
	int r = !round ? 0 : is_batch ? begin_batch_round(tx, task->run_id) : begin_round(tx, task->run_id);

	take_options(submit, task);
	task->start = submit->start && !rejected;
	submit->ret_attempt = task->start;
	if (r >= 0 && task->more_epochs > 0 && !rejected)
		r = run_add_epochs(tx, task->run_id, task->more_epochs);
	if (r >= 0)
		r = task_insert(tx, task, &id);
	if (r >= 0 && !rejected && task->kind == TASK_KIND_EXPERIMENT)
		r = db_run(tx->db, "UPDATE experiments SET task_id = ?2, updated_at = ?3 WHERE id = ?1",
			   "iii", task->experiment_id, id, tx->now);
	if (r >= 0 && round)
		r = db_run(tx->db, "UPDATE runs SET round = ?2, counters_stale = counters_stale + ?3"
				   " WHERE id = ?1", "iib", task->run_id, id, !is_batch);
	if (r >= 0)
		r = task_load(tx, id, &submit->ret_task);
	if (r >= 0)
		r = task_events_read(tx, submit->ret_task, 0, &submit->ret_rows,
				     &submit->ret_n_rows);
	return r;
}

/* ---- Going on ---- */

int task_submit_go_on(struct tx *tx, struct task_submit *submit, struct task_new *task,
		      const struct experiment_row *experiment, struct fault *rejected)
{
	int r = experiment->deleted ? fault_not_found(tx->fault, "experiment", experiment->name,
						      experiment->id) :
				      experiment_check_idle(tx, experiment);

	take_options(submit, task);
	task->rejected = rejected;
	if (r >= 0)
		r = task_submit_check_room(tx);
	if (r >= 0)
		r = task_submit_check_run(tx, submit, task->run_id, task->cost_limit, rejected);
	return r < 0 ? r : task_submit_insert(tx, submit, task);
}

/*
 * Going on after a task that ended without success is a new task of the same run, and does what is
 * missing there. It belongs to whom the old one belonged to, whoever asks.
 */

/* Whether there is something to go on with. */
static int check_old(struct tx *tx, const struct task_row *row)
{
	const struct ellu_task *old = row->task;
	struct fault *fault = tx->fault;

	switch (task_status_from_name(old->status)) {
	case TASK_PENDING:
	case TASK_STARTED:
		return fault_conflict(fault, "task", old->name, old->id, "it is %s", old->status);
	case TASK_SUCCESS:
		if (scores_rows(task_kind_from_name(old->kind)))
			break; // it may have failed items
		return fault_conflict(fault, "task", old->name, old->id,
				      "it succeeded; RetryFailed asks again for failed items");
	case TASK_REJECTED:
		if (!row->run_id)
			return fault_conflict(fault, "task", old->name, old->id,
					      "it was rejected before anything was made: submit it "
					      "again");
		break;
	default:
		break;
	}
	return 0;
}

/* That an experiment has one at most is seen to with the others that go on with it. */
static int check_run_idle(struct tx *tx, const struct task_row *row)
{
	int64_t id;
	int r;

	if (row->experiment_id || !row->run_id)
		return 0;
	r = db_int(tx->db, &id, "SELECT id FROM tasks WHERE finished_at IS NULL AND run_id = ?1 LIMIT 1", "i",
		   row->run_id);
	return r <= 0 ? r : fault_conflict(tx->fault, "task", row->task->name, id,
					   "the task %" PRId64 " goes on with it already", id);
}

int task_retry(struct tx *tx, struct task_submit *op)
{
	const struct ellu_retry_task_request *a = op->arguments;
	struct experiment_row experiment = { 0 };
	struct fault rejected = { 0 };
	char hash[IDENTITY_SIZE];
	struct task_row row;
	int r;

	task_submit_begin(op);
	r = task_row_find(tx, &op->scope, a->id, &row);
	if (r >= 0 && row.experiment_id)
		r = experiment_row_load(tx, row.experiment_id, &experiment);
	if (r >= 0)
		r = task_submit_hash(tx, op->method->request, a, hash);
	if (r >= 0)
		r = task_submit_find_key(tx, op, row.task->owner_uid, hash);
	if (r != 0)
		return r < 0 ? r : 0;
	r = check_old(tx, &row);
	if (r >= 0)
		r = check_run_idle(tx, &row);
	if (r < 0)
		return r;
	return task_submit_go_on(tx, op,
				 &(struct task_new){
					 .kind = task_kind_from_name(row.task->kind),
					 .place = { .owner_uid = row.task->owner_uid, .project_id = row.project_id },
					 .name = row.task->name,
					 .experiment_id = experiment.id,
					 .run_id = row.run_id,
					 .begins_round = scores_rows(task_kind_from_name(row.task->kind)),
					 .priority = row.task->priority,
					 .time_limit_seconds = row.task->time_limit_seconds,
					 .max_connections = row.task->max_connections,
					 .cost_limit = row.task->cost_limit,
					 .retry_of = a->id,
					 .request_hash = hash,
				 },
				 &experiment, &rejected);
}

/* A new task of the experiment's run. */
static int go_on(struct tx *tx, struct task_submit *op, const struct ellu_ref *ref,
		 struct task_new *task)
{
	struct experiment_row experiment;
	struct fault rejected = { 0 };
	char hash[IDENTITY_SIZE];
	int r;

	task_submit_begin(op);
	r = experiment_row_resolve(tx, &op->scope, ref, &experiment);
	if (r >= 0)
		r = task_submit_hash(tx, op->method->request, op->arguments, hash);
	if (r >= 0)
		r = task_submit_find_key(tx, op, experiment.owner_uid, hash);
	if (r != 0)
		return r < 0 ? r : 0;
	task->kind = TASK_KIND_EXPERIMENT;
	task->place = (struct place){ .owner_uid = experiment.owner_uid,
				      .project_id = experiment.project_id };
	task->name = experiment.name;
	task->experiment_id = experiment.id;
	task->run_id = experiment.run_id;
	task->retry_of = experiment.task_id;
	task->request_hash = hash;
	return task_submit_go_on(tx, op, task, &experiment, &rejected);
}

/*
 * Asking again for what failed begins a new round of the experiment: from then on an error that
 * was recorded in an earlier one is missing. So nothing has to be cleared, however many there
 * are, and the first claim counts what is left.
 */
int failed_retry(struct tx *tx, struct task_submit *op)
{
	const struct ellu_retry_failed_request *a = op->arguments;

	return go_on(tx, op, a->experiment, &(struct task_new){ .begins_round = true });
}

/* What is missing then is what the new epochs lack. */
int epochs_add(struct tx *tx, struct task_submit *op)
{
	const struct ellu_add_epochs_request *a = op->arguments;

	return go_on(tx, op, a->experiment, &(struct task_new){ .more_epochs = a->epochs });
}
