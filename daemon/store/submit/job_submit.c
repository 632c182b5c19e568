/*
 * Submitting a job of one item, of any kind: the request itself is pinned, with the template and a
 * snapshot of the config that it names. What it means is for the kind to know when it runs. What such
 * requests have in common goes by the names of their fields.
 */
#include <errno.h>

#include "daemon/store/resources/collections/collection.h"
#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/evaluators/evaluator.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/resources/prompts/prompt_template.h"
#include "daemon/store/runs/evaluators.h"
#include "daemon/store/runs/run_configs.h"
#include "daemon/store/submit/task_submit.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

#define CALL_AT_ONCE_BYTES (32u << 10) // a longer one is not read by the writer

struct job {
	struct tx *tx;
	struct task_submit *op;
	struct scope scope; // the submitter's own, administrator or not
	struct place place;
	struct run_row run;
	struct notes notes;
	struct fault rejected; // code 0: not
};

/* The request as it is pinned and told from others: read by who has time for a large one. */
struct job_input {
	char hash[IDENTITY_SIZE];
	const char *text;
	struct fault *refused; // by who has read it; its code may be 0. NULL: it is the writer's to read
};

/* What is pinned beside it, or says how the answer is to come, is left out. */
static int read_request(struct tx *tx, const struct task_submit *op, const char **ret_text)
{
	static const char *const left_out[] = { "llm_config", "prompt_template", "generation_params",
						"project", "idempotency_key", "detach",
						"collection", "evaluator", "judge",
						"skill", "fallback_llm_configs" };
	const struct record_type *type = op->method->request;
	json_object *json = NULL;
	int r;

	if (record_text_bytes(type, op->arguments) > RENDERED_BYTES_MAX)
		return fault_too_large(tx->fault, RENDERED_BYTES_MAX, "the request");
	r = record_encode(type, op->arguments, TO_STORE, &json);
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		json_object_object_del(json, left_out[i]);
	*ret_text = tx_strdup(tx, json_text(json, NULL));
	json_object_put(json);
	return *ret_text ? 0 : -ENOMEM;
}

static int read_input(struct tx *tx, struct task_submit *op)
{
	struct job_input *input = tx_alloc(tx, sizeof(*input));
	int r = input ? read_request(tx, op, &input->text) : -ENOMEM;

	op->request.state = input;
	return r < 0 ? r : task_submit_hash(tx, op->method->request, op->arguments, input->hash);
}

/* A call's template is rendered: with these. */
static int check_variables(struct tx *tx, const struct task_submit *op, const struct scope *scope)
{
	const struct ellu_call_request *request = op->arguments;
	const struct ellu_prompt_template *template;
	int64_t id;
	int r;

	if (op->method->id != METHOD_CALL || !request->prompt_template)
		return 0;
	r = resource_resolve(tx, &resource_prompt_template, scope, request->prompt_template, &id);
	if (r >= 0)
		r = prompt_template_load(tx, id, &template);
	return r < 0 ? r : prompt_template_check_values(tx, template, request->variables);
}

/* Away from the writer. What is wrong is said by that one, unless the task is there already. */
static int read_variables(struct tx *tx, struct task_submit *op)
{
	struct job_input *input = op->request.state;
	const struct scope scope = scope_own(&op->scope);
	int r;

	input->refused = tx_alloc(tx, sizeof(*input->refused));
	if (!input->refused)
		return -ENOMEM;
	r = check_variables(tx, op, &scope);
	if (r == ELLU_E_INVALID_PARAMETER || r == ELLU_E_NOT_FOUND) {
		*input->refused = *tx->fault;
		*tx->fault = (struct fault){ 0 };
		r = 0;
	}
	return r;
}

static int refuse_variables(struct job *job)
{
	const struct job_input *input = job->op->request.state;

	if (!input->refused)
		return check_variables(job->tx, job->op, &job->scope);
	if (input->refused->code)
		*job->tx->fault = *input->refused;
	return input->refused->code;
}

static int pin_config(struct job *job)
{
	int r = llm_config_take(job->tx, &job->scope, &job->place, task_submit_member(job->op, "llm_config"),
				"llm_config", /* update= */ false, &job->notes, &job->run.config_id);

	return r < 0 ? r : run_own_config_pin(job->tx, &job->run);
}

/* That rows go to. */
static int pin_collection(struct job *job, const struct ellu_ref *ref)
{
	struct collection_state state;
	int r = collection_resolve(job->tx, &job->scope, ref, &state);

	if (r >= 0)
		r = collection_check_writable(job->tx, &state);
	job->run.collection_id = r < 0 ? 0 : state.id;
	return r;
}

/* Once it is known that the request has what they score. */
static int pin_evaluators(struct job *job)
{
	const struct task_submit *op = job->op;
	struct evaluator_list evaluators;
	int r = evaluators_find(job->tx, &job->scope, task_submit_member(op, "evaluator"),
				task_submit_member(op, "judge"), &evaluators);

	for (size_t i = 0; r >= 0 && i < evaluators.n; i++)
		r = evaluator_check_inputs(job->tx, evaluators.items[i], /* path= */ "", op->method->request,
					   op->arguments);
	if (r >= 0)
		r = run_insert(job->tx, &job->run, &(struct tx_list){ 0 }, &job->run.id);
	return r < 0 ? r : run_evaluators_pin(job->tx, &job->run, &job->scope,
					      task_submit_member(op, "llm_config"), &evaluators,
					      &job->notes);
}

static int pin_fallbacks(struct job *job)
{
	const struct ellu_call_request *request = job->op->arguments;
	int64_t ids[FALLBACKS_MAX];
	size_t n = 0;
	int r = 0;

	if (job->op->method->id != METHOD_CALL)
		return 0;
	while (r >= 0 && n < request->n_fallback_llm_configs) {
		r = resource_resolve(job->tx, &resource_llm_config, &job->scope,
				     request->fallback_llm_configs[n], &ids[n]);
		n++;
	}
	return r < 0 ? r : run_fallbacks_pin(job->tx, &job->run, ids, n);
}

/* A template and a config, and rows' collection. */
static int pin_call(struct job *job)
{
	const struct ellu_ref *template = task_submit_member(job->op, "prompt_template");
	const struct ellu_ref *collection = task_submit_member(job->op, "collection");
	const int *response_cache = task_submit_member(job->op, "response_cache");
	int r = refuse_variables(job);

	if (r >= 0)
		r = pin_config(job);
	job->run.response_cache = response_cache && *response_cache;

	if (r >= 0 && template)
		r = resource_resolve(job->tx, &resource_prompt_template, &job->scope,
				     template, &job->run.prompt_template_id);
	if (r >= 0 && collection)
		r = pin_collection(job, collection);
	if (r >= 0)
		r = tx_encode(job->tx, &ellu_generation_params_type,
			      task_submit_member(job->op, "generation_params"), &job->run.generation_params);
	if (r >= 0)
		r = run_insert(job->tx, &job->run, &(struct tx_list){ 0 }, &job->run.id);
	return r < 0 ? r : pin_fallbacks(job);
}

static int pin_parts(struct job *job)
{
	switch (job->op->kind) {
	case TASK_KIND_EVALUATOR:
		return pin_evaluators(job);
	case TASK_KIND_SKILL:
		return skill_pin(job->tx, job->op, &job->scope, &job->run, &job->notes);
	default:
		return pin_call(job);
	}
}

static int pin(struct job *job)
{
	int r;

	job->run.request = ((struct job_input *)job->op->request.state)->text;
	job->run.owner_uid = job->place.owner_uid;
	job->run.project_id = job->place.project_id;
	job->run.n_epochs = job->run.total_cases = 1;
	r = pin_parts(job);
	return r < 0 ? r : task_submit_check_run(job->tx, job->op, job->run.id,
						 task_submit_member(job->op, "cost_limit"), &job->rejected);
}

/* ---- Whole ---- */

static const char *request_hash(const struct job *job)
{
	return ((const struct job_input *)job->op->request.state)->hash;
}

/* 1: the same key brought a task before. */
static int begin(struct tx *tx, struct task_submit *op, struct job **ret_job)
{
	struct job *job = tx_alloc(tx, sizeof(*job));
	int r = job ? 0 : -ENOMEM;

	if (r == 0 && !op->request.state)
		r = read_input(tx, op);
	if (r < 0)
		return r;
	*ret_job = job;
	job->tx = tx;
	job->op = op;
	task_submit_begin(op);
	job->scope = scope_own(&op->scope);
	r = place_resolve(tx, &job->scope, &job->place);
	return r < 0 ? r : task_submit_find_key(tx, op, job->place.owner_uid, request_hash(job));
}

static int insert(struct job *job)
{
	struct tx *tx = job->tx;
	int r;

	r = task_submit_check_room(tx);
	if (r >= 0)
		r = pin(job);
	return r < 0 ? r : task_submit_insert(tx, job->op,
					      &(struct task_new){
						      .kind = job->op->kind,
						      .place = job->place,
						      .name = task_submit_member(job->op, "name"),
						      .run_id = job->run.id,
						      .request_hash = request_hash(job),
						      .rejected = &job->rejected,
						      .log = &job->notes.lines,
					      });
}

int job_submit(struct tx *tx, struct task_submit *op)
{
	struct job *job;
	int r;

	if (op->request.lane != STORE_WRITE) {
		op->request.lane = STORE_WRITE;
		r = read_input(tx, op);
		return r < 0 ? r : read_variables(tx, op);
	}
	r = begin(tx, op, &job);
	return r == 0 ? insert(job) : r < 0 ? r : 0;
}

static enum store_lane lane_of(const struct record_type *type, const void *arguments)
{
	return record_text_bytes(type, arguments) > CALL_AT_ONCE_BYTES ? STORE_SCAN : STORE_WRITE;
}

enum store_lane call_submit_lane(const void *arguments)
{
	return lane_of(&ellu_call_request_type, arguments);
}

enum store_lane embed_submit_lane(const void *arguments)
{
	return lane_of(&ellu_embed_request_type, arguments);
}

/* ---- Criteria, unless there are some ---- */

/* 1: they are there, or a task makes them up. Any version of the template is linked to the same set. */
static int find_criteria(struct job *job)
{
	struct criteria criteria;
	int64_t id, task_id;
	int r;

	r = resource_resolve(job->tx, &resource_prompt_template, &job->scope,
			     task_submit_member(job->op, "prompt_template"), &id);
	if (r >= 0)
		r = criteria_linked(job->tx, id, &criteria);
	if (r < 0)
		return r;
	if (criteria.n > 0) {
		job->op->ret_existing = true;
		job->op->ret_criteria = criteria.items;
		job->op->ret_n_criteria = criteria.n;
		return 1;
	}
	r = db_int(job->tx->db, &task_id,
		   "SELECT t.id FROM tasks t CROSS JOIN runs r ON r.id = t.run_id"
		   " CROSS JOIN prompt_templates p ON p.id = r.prompt_template_id"
		   " WHERE t.finished_at IS NULL AND t.owner_uid = ?2 AND t.kind = ?3"
		   " AND r.collection_id IS NULL AND (p.project_id, p.name)"
		   "  = (SELECT project_id, name FROM prompt_templates WHERE id = ?1)"
		   " ORDER BY t.id LIMIT 1",
		   "iis", id, job->place.owner_uid, task_kind_name(TASK_KIND_GENERATION));
	if (r > 0)
		r = task_submit_existing(job->tx, job->op, task_id);
	else
		return r;
	return r < 0 ? r : 1;
}

int criteria_submit(struct tx *tx, struct task_submit *op)
{
	struct job *job;
	int r = begin(tx, op, &job);

	if (r == 0)
		r = find_criteria(job);
	return r == 0 ? insert(job) : r < 0 ? r : 0;
}
