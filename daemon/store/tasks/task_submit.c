#include "daemon/store/tasks/task_submit.h"

#include <errno.h>
#include <string.h>

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/resources/llm_config.h"
#include "daemon/store/runs/run.h"
#include "proto/provider.h"

void task_submit_begin(struct task_submit *submit)
{
	submit->ret_task = NULL;
	submit->ret_attempt = 0;
	submit->ret_rows = NULL;
	submit->ret_n_rows = 0;
	submit->ret_existing = false;
	submit->ret_finished = false;
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
			 const char *key, const char *hash)
{
	int64_t id;
	bool same;
	QUERY q = NULL;
	int r;

	if (!key)
		return 0;
	r = db_query(tx->db, &q, "SELECT id, request_hash = ?3 FROM tasks"
				 " WHERE owner_uid = ?1 AND idempotency_key = ?2",
		     "iss", owner_uid, key, hash);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r <= 0)
		return r;
	id = column_int(q, 0);
	same = column_int(q, 1) != 0;
	statement_reset(&q);
	if (!same)
		return fault_conflict(tx->fault, "task", NULL, id,
				      "another request used this idempotency_key");
	r = task_submit_existing(tx, submit, id);
	return r < 0 ? r : 1;
}

int task_submit_check_room(struct tx *tx)
{
	int64_t free_bytes = store_free_bytes(tx->store);

	if (free_bytes >= 0 && free_bytes < STORE_FREE_BYTES_MIN)
		return fault_set(tx->fault, ELLU_E_STORAGE_FULL, NULL);
	return 0;
}

/* A limit that nothing can be held against would be none. */
static void check_prices(const struct ellu_llm_config *config, struct fault *rejected)
{
	const char *missing = !config->price_input && !config->price_output ?
				      "price_input and price_output" :
			      !config->price_input ? "price_input" :
						     "price_output";

	if ((config->price_input && config->price_output) ||
	    provider_is_simulated(config->provider))
		return;
	fault_invalid(rejected, "cost_limit", "no limit, since what '%s' costs is not known: its "
		      "config has no %s", config->name, missing);
}

int task_submit_check_prices(struct tx *tx, int64_t config_id, struct fault *rejected)
{
	struct ellu_llm_config *config;
	int r;

	if (!config_id || rejected->code)
		return 0;
	r = llm_config_load(tx, config_id, &config, NULL);
	if (r >= 0)
		check_prices(config, rejected);
	return r < 0 ? r : 0;
}

/* What an administrator once judged with by a config of his own is not the owner's to spend. */
static int check_owner(struct tx *tx, const struct scope *scope, int64_t config_id,
		       const char *part, struct fault *rejected)
{
	int64_t one;
	int r;

	r = scope->all ? 1 : db_int(tx->db, &one, "SELECT 1 FROM llm_configs WHERE id = ?1"
						  " AND owner_uid = ?2", "ii", config_id, scope->uid);
	if (r == 0)
		fault_invalid(rejected, part, "a config of one's own; this one is another user's: rate "
			      "again with `rating_llm_config`");
	return r < 0 ? r : 0;
}

int task_submit_check_config(struct tx *tx, const struct scope *scope, int64_t config_id,
			     const char *part, const int64_t *cost_limit, struct fault *rejected)
{
	struct ellu_llm_config *config;
	struct fault *fault = tx->fault;
	int r;

	if (!config_id || rejected->code)
		return 0;
	r = check_owner(tx, scope, config_id, part, rejected);
	if (r < 0 || rejected->code)
		return r;
	/* What cannot be had now rejects the submission and is no error of the request. */
	tx->fault = rejected;
	r = llm_config_load_key(tx, config_id, tx_printf(tx, "%s.api_key_ref", part), &config);
	tx->fault = fault;
	if (r < 0 && r != ELLU_E_INVALID_PARAMETER) {
		*fault = *rejected;
		return r;
	}
	return cost_limit ? task_submit_check_prices(tx, config_id, rejected) : 0;
}

int task_submit_check_run(struct tx *tx, const struct task_submit *submit, int64_t run_id,
			  const int64_t *cost_limit, struct fault *rejected)
{
	struct run_row run = { 0 };
	int r = run_id ? run_row_load(tx, run_id, &run) : 0;

	if (r >= 0)
		r = task_submit_check_config(tx, &submit->scope, run.config_id, "llm_config",
					     cost_limit, rejected);
	if (r >= 0)
		r = task_submit_check_config(tx, &submit->scope, run.judge.config_id,
					     "rating_llm_config", cost_limit, rejected);
	if (r >= 0 && submit->queue_full && !rejected->code)
		fault_set(rejected, ELLU_E_QUEUE_FULL, NULL);
	return r < 0 ? r : 0;
}

int task_submit_insert(struct tx *tx, struct task_submit *submit, const struct task_new *task)
{
	int64_t id;
	int r;

	r = task_insert(tx, task, &id);
	if (r >= 0 && !task->rejected && task->kind == TASK_KIND_EXPERIMENT)
		r = db_run(tx->db, "UPDATE experiments SET task_id = ?2, updated_at = ?3 WHERE id = ?1",
			   "iii", task->experiment_id, id, tx->now);
	if (r >= 0 && !task->rejected && submit->start)
		r = task_start(tx, id, &submit->ret_attempt);
	if (r >= 0)
		r = task_load(tx, id, &submit->ret_task);
	if (r >= 0)
		r = task_events_read(tx, submit->ret_task, 0, &submit->ret_rows,
				     &submit->ret_n_rows);
	return r;
}
