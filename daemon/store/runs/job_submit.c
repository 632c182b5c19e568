/*
 * Submitting a job of one item, of any kind: the request itself is pinned, with the template and a
 * snapshot of the config that it names. What it means is for the kind to know when it runs.
 */
#include <errno.h>

#include "daemon/store/resources/llm_config.h"
#include "daemon/store/resources/prompt_template.h"
#include "daemon/store/runs/run.h"
#include "daemon/store/tasks/task_submit.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

struct job {
	struct tx *tx;
	struct job_submit *op;
	struct scope scope; // the submitter's own, administrator or not
	struct place place;
	struct run_row run;
	struct notes notes;
	struct fault rejected; // code 0: not
};

/* What is pinned beside it, or says how the answer is to come, is left out. */
static int pin_request(struct job *job)
{
	static const char *const left_out[] = { "llm_config", "prompt_template", "generation_params",
						"project", "idempotency_key", "detach" };
	json_object *json = NULL;
	int r;

	if (record_text_bytes(job->op->type, job->op->arguments) > TEMPLATE_BYTES_MAX)
		return fault_too_large(job->tx->fault, TEMPLATE_BYTES_MAX, "the request");
	r = record_encode(job->op->type, job->op->arguments, TO_STORE, &json);
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		json_object_object_del(json, left_out[i]);
	job->run.request = tx_strdup(job->tx, json_text(json, NULL));
	json_object_put(json);
	return job->run.request ? 0 : -ENOMEM;
}

static int pin_config(struct job *job)
{
	struct ellu_llm_config *config;
	struct tx *tx = job->tx;
	int r;

	r = job->op->llm_config ?
		    llm_config_take(tx, &job->scope, &job->place, job->op->llm_config,
				    "llm_config", /* update= */ false, &job->notes, &job->run.config_id) :
		    db_int(tx->db, &job->run.config_id, "SELECT default_llm_config_id FROM projects"
							" WHERE id = ?1", "i", job->place.project_id);
	if (r >= 0)
		r = llm_config_load(tx, job->run.config_id, &config, NULL);
	return r < 0 ? r : tx_encode(tx, &ellu_llm_config_type, config, &job->run.config_snapshot);
}

static int pin(struct job *job)
{
	const struct job_submit *op = job->op;
	int r = pin_request(job);

	job->run.owner_uid = job->place.owner_uid;
	job->run.project_id = job->place.project_id;
	job->run.n_epochs = job->run.total_cases = 1;
	if (r >= 0)
		r = pin_config(job);
	if (r >= 0 && op->prompt_template)
		r = resource_resolve(job->tx, &resource_prompt_template, &job->scope,
				     op->prompt_template, &job->run.prompt_template_id);
	if (r >= 0)
		r = tx_encode(job->tx, &ellu_generation_params_type, op->generation_params,
			      &job->run.generation_params);
	if (r >= 0)
		r = run_insert(job->tx, &job->run, &(struct tx_list){ 0 }, &job->run.id);
	return r < 0 ? r : task_submit_check_run(job->tx, &op->submit, job->run.id, op->cost_limit,
						 &job->rejected);
}

static int job_submit_run(struct tx *tx, struct store_request *request)
{
	struct job_submit *op = (struct job_submit *)request;
	struct job *job = tx_alloc(tx, sizeof(*job));
	char hash[IDENTITY_SIZE];
	int r;

	if (!job)
		return -ENOMEM;
	job->tx = tx;
	job->op = op;
	task_submit_begin(&op->submit);
	job->scope = (struct scope){ .uid = op->submit.scope.uid, .project = op->submit.scope.project };
	r = place_resolve(tx, &job->scope, &job->place);
	if (r >= 0)
		r = task_submit_hash(tx, op->type, op->arguments, hash);
	if (r >= 0)
		r = task_submit_find_key(tx, &op->submit, job->place.owner_uid, op->idempotency_key,
					 hash);
	if (r != 0)
		return r < 0 ? r : 0;
	r = task_submit_check_room(tx);
	if (r >= 0)
		r = pin(job);
	if (r < 0)
		return r;
	return task_submit_insert(tx, &op->submit,
				  &(struct task_new){
					  .kind = op->kind,
					  .place = job->place,
					  .name = op->name,
					  .run_id = job->run.id,
					  .priority = op->priority,
					  .time_limit_seconds = op->time_limit_seconds,
					  .cost_limit = op->cost_limit,
					  .idempotency_key = op->idempotency_key,
					  .request_hash = hash,
					  .rejected = job->rejected.code ? &job->rejected : NULL,
					  .log = &job->notes.lines,
				  });
}

void store_job_submit(struct store *store, struct task_submit *submit)
{
	tx_post(store, &submit->request, STORE_WRITE, job_submit_run);
}
