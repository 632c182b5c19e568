/* What the store does of the interface: a row a method. */
#include <assert.h>

#include "daemon/store/engine/backup.h"
#include "daemon/store/engine/tx.h"
#include "daemon/store/resources/collections/collection.h"
#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/evaluators/evaluator.h"
#include "daemon/store/resources/evaluators/judge.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/resources/prompts/prompt_template.h"
#include "daemon/store/resources/collections/row_set.h"
#include "daemon/store/resources/evaluators/skill.h"
#include "daemon/store/resources/collections/template_variables.h"
#include "daemon/store/resources/projects/token.h"
#include "daemon/store/runs/evaluators.h"
#include "daemon/store/runs/experiment.h"
#include "daemon/store/runs/compare/preferences.h"
#include "daemon/store/runs/responses/response.h"
#include "daemon/store/runs/run.h"
#include "daemon/store/store.h"
#include "daemon/store/tasks/task.h"
#include "daemon/store/submit/task_submit.h"
#include "proto/generated/interface.h"

/* What goes on in another lane sets the request's. */
static const struct operation {
	enum store_lane lane; // where it begins
	int (*run)(struct tx *tx, struct method_run *op);
	const struct resource *resource; // of operations that all resources have
	const void *(*digest)(const void *request, struct arena *arena); // see store_method_digest(); or NULL
} operations[_METHOD_MAX] = {
	[METHOD_ADD_CRITERIA] = { STORE_WRITE, criteria_add },
	[METHOD_ADD_RESPONSES] = { STORE_SCAN, responses_add },
	[METHOD_ADD_TEMPLATE_VARIABLES] = { STORE_SCAN, rows_add, .digest = rows_digest },
	[METHOD_ANNOTATE_RESPONSE] = { STORE_WRITE, response_annotate },
	[METHOD_BACKUP] = { STORE_KEEP, backup_run },
	[METHOD_CHECK_STORAGE] = { STORE_KEEP, storage_check_run },
	[METHOD_CLEAR_COLLECTION] = { STORE_WRITE, collection_clear },
	[METHOD_CLEAR_CRITERION_SET] = { STORE_WRITE, criterion_set_clear },
	[METHOD_CLONE_EXPERIMENT] = { STORE_SCAN, experiment_clone },
	[METHOD_COMPARE_EXPERIMENTS] = { STORE_SCAN, experiments_compare },
	[METHOD_CREATE_COLLECTION] = { STORE_SCAN, resource_create, &resource_collection },
	[METHOD_CREATE_CRITERION_SET] = { STORE_POINT, resource_create, &resource_criterion_set },
	[METHOD_CREATE_EVALUATOR] = { STORE_SCAN, resource_create, &resource_evaluator },
	[METHOD_CREATE_EXPERIMENT] = { STORE_SCAN, experiment_create },
	[METHOD_CREATE_JUDGE] = { STORE_POINT, resource_create, &resource_judge },
	[METHOD_CREATE_LLM_CONFIG] = { STORE_SCAN, resource_create, &resource_llm_config },
	[METHOD_CREATE_PROJECT] = { STORE_SCAN, resource_create, &resource_project },
	[METHOD_CREATE_PROMPT_TEMPLATE] = { STORE_SCAN, resource_create, &resource_prompt_template },
	[METHOD_CREATE_SKILL] = { STORE_SCAN, resource_create, &resource_skill },
	[METHOD_CREATE_TOKEN] = { STORE_WRITE, token_create },
	[METHOD_DELETE_COLLECTION] = { STORE_WRITE, resource_delete, &resource_collection },
	[METHOD_DELETE_CRITERION] = { STORE_WRITE, criterion_delete },
	[METHOD_DELETE_CRITERION_SET] = { STORE_WRITE, resource_delete, &resource_criterion_set },
	[METHOD_DELETE_EVALUATOR] = { STORE_WRITE, evaluator_delete, &resource_evaluator },
	[METHOD_DELETE_EXPERIMENT] = { STORE_WRITE, resource_delete, &resource_experiment },
	[METHOD_DELETE_JUDGE] = { STORE_WRITE, resource_delete, &resource_judge },
	[METHOD_DELETE_LLM_CONFIG] = { STORE_WRITE, resource_delete, &resource_llm_config },
	[METHOD_DELETE_PROJECT] = { STORE_WRITE, project_delete },
	[METHOD_DELETE_PROMPT_TEMPLATE] = { STORE_WRITE, prompt_template_delete,
					    &resource_prompt_template },
	[METHOD_DELETE_SKILL] = { STORE_WRITE, skill_delete, &resource_skill },
	[METHOD_DELETE_TEMPLATE_VARIABLES] = { STORE_WRITE, rows_delete },
	[METHOD_EDIT_RATING] = { STORE_WRITE, rating_edit },
	[METHOD_GET_COLLECTION] = { STORE_POINT, resource_get, &resource_collection },
	[METHOD_GET_CRITERION_SET] = { STORE_POINT, resource_get, &resource_criterion_set },
	[METHOD_GET_EVALUATOR] = { STORE_POINT, evaluator_get },
	[METHOD_GET_EXPERIMENT] = { STORE_POINT, resource_get, &resource_experiment },
	[METHOD_GET_JUDGE] = { STORE_POINT, resource_get, &resource_judge },
	[METHOD_GET_JUDGE_AGREEMENT] = { STORE_SCAN, judge_agreement },
	[METHOD_GET_LLM_CONFIG] = { STORE_POINT, resource_get, &resource_llm_config },
	[METHOD_GET_OR_CREATE_COLLECTION] = { STORE_SCAN, resource_get_or_create, &resource_collection },
	[METHOD_GET_OR_CREATE_CRITERION_SET] = { STORE_POINT, resource_get_or_create, &resource_criterion_set },
	[METHOD_GET_OR_CREATE_EVALUATOR] = { STORE_SCAN, resource_get_or_create, &resource_evaluator },
	[METHOD_GET_OR_CREATE_EXPERIMENT] = { STORE_SCAN, experiment_get_or_create },
	[METHOD_GET_OR_CREATE_JUDGE] = { STORE_POINT, resource_get_or_create, &resource_judge },
	[METHOD_GET_OR_CREATE_LLM_CONFIG] = { STORE_SCAN, resource_get_or_create, &resource_llm_config },
	[METHOD_GET_OR_CREATE_PROJECT] = { STORE_SCAN, resource_get_or_create, &resource_project },
	[METHOD_GET_OR_CREATE_PROMPT_TEMPLATE] = { STORE_SCAN, resource_get_or_create,
						   &resource_prompt_template },
	[METHOD_GET_OR_CREATE_SKILL] = { STORE_SCAN, resource_get_or_create, &resource_skill },
	[METHOD_GET_PROJECT] = { STORE_POINT, project_get },
	[METHOD_GET_PROMPT_TEMPLATE] = { STORE_POINT, resource_get, &resource_prompt_template },
	[METHOD_GET_RESPONSE] = { STORE_POINT, response_get },
	[METHOD_GET_SKILL] = { STORE_POINT, resource_get, &resource_skill },
	[METHOD_LINK_CRITERION_SET] = { STORE_WRITE, criterion_set_link },
	[METHOD_LIST_BATCH_ITEMS] = { STORE_SCAN, batch_items_list },
	[METHOD_LIST_COLLECTIONS] = { STORE_SCAN, resource_list, &resource_collection },
	[METHOD_LIST_COMPARED_CASES] = { STORE_SCAN, compared_cases_list },
	[METHOD_LIST_COSTS] = { STORE_SCAN, costs_list },
	[METHOD_LIST_CRITERIA] = { STORE_POINT, criteria_list },
	[METHOD_LIST_CRITERION_SETS] = { STORE_SCAN, resource_list, &resource_criterion_set },
	[METHOD_LIST_EVALUATORS] = { STORE_SCAN, evaluators_list, &resource_evaluator },
	[METHOD_LIST_EXPERIMENTS] = { STORE_SCAN, resource_list, &resource_experiment },
	[METHOD_LIST_FLAKY_ROWS] = { STORE_SCAN, flaky_rows_list },
	[METHOD_LIST_JUDGES] = { STORE_SCAN, resource_list, &resource_judge },
	[METHOD_LIST_LLM_CONFIGS] = { STORE_SCAN, resource_list, &resource_llm_config },
	[METHOD_LIST_PREFERENCES] = { STORE_SCAN, preferences_list },
	[METHOD_LIST_PROJECTS] = { STORE_SCAN, resource_list, &resource_project },
	[METHOD_LIST_PROMPT_TEMPLATES] = { STORE_SCAN, prompt_templates_list,
					   &resource_prompt_template },
	[METHOD_LIST_RATINGS] = { STORE_SCAN, ratings_list },
	[METHOD_LIST_RESPONSES] = { STORE_SCAN, responses_list },
	[METHOD_LIST_SKILLS] = { STORE_SCAN, skills_list, &resource_skill },
	[METHOD_LIST_TASKS] = { STORE_SCAN, tasks_list },
	[METHOD_LIST_TASK_LOGS] = { STORE_SCAN, task_logs_list },
	[METHOD_LIST_TEMPLATE_VARIABLES] = { STORE_SCAN, rows_list },
	[METHOD_LIST_TOKENS] = { STORE_SCAN, resource_list, &resource_token },
	[METHOD_NEW_PROMPT_TEMPLATE_VERSION] = { STORE_WRITE, prompt_template_new_version,
						 &resource_prompt_template },
	[METHOD_PLAN_EXPERIMENT] = { STORE_SCAN, experiment_plan },
	[METHOD_RENDER_PROMPT_TEMPLATE] = { STORE_SCAN, prompt_template_render },
	[METHOD_REVOKE_TOKEN] = { STORE_WRITE, token_revoke },
	[METHOD_SET_DEFAULT_LLM_CONFIG] = { STORE_WRITE, default_llm_config_set },
	[METHOD_UNLINK_CRITERION_SET] = { STORE_WRITE, criterion_set_unlink },
	[METHOD_UPDATE_COLLECTION] = { STORE_SCAN, resource_update, &resource_collection },
	[METHOD_UPDATE_CRITERION_SET] = { STORE_POINT, resource_update, &resource_criterion_set },
	[METHOD_UPDATE_EVALUATOR] = { STORE_SCAN, resource_update, &resource_evaluator },
	[METHOD_UPDATE_EXPERIMENT] = { STORE_WRITE, experiment_update },
	[METHOD_UPDATE_JUDGE] = { STORE_POINT, resource_update, &resource_judge },
	[METHOD_UPDATE_LLM_CONFIG] = { STORE_SCAN, resource_update, &resource_llm_config },
	[METHOD_UPDATE_PROJECT] = { STORE_SCAN, resource_update, &resource_project },
	[METHOD_UPDATE_SKILL] = { STORE_SCAN, resource_update, &resource_skill },
};

bool store_runs_method(const struct method *method)
{
	return operations[method->id].run;
}

const void *store_method_digest(const struct method *method, const void *request, struct arena *arena)
{
	const void *(*digest)(const void *request, struct arena *arena) = operations[method->id].digest;

	return digest ? digest(request, arena) : NULL;
}

/* The writer has others to serve: what it answers is encoded by who sends it. */
static int run(struct tx *tx, struct store_request *request)
{
	struct method_run *op = (struct method_run *)request;
	enum store_lane lane = request->lane;
	int r = operations[op->method->id].run(tx, op);

	if (r < 0 || request->again || request->lane != lane)
		return r;
	return lane == STORE_WRITE ? 0 : method_encode(tx, op);
}

void store_method_run(struct store *store, struct method_run *op)
{
	const struct operation *operation = &operations[op->method->id];

	assert(operation->run);
	op->resource = operation->resource;
	tx_post(store, &op->request, operation->lane, run, op->method->name);
}

/* ---- What makes a task ---- */

static const struct submission {
	int (*run)(struct tx *tx, struct task_submit *op);
	/* Where it begins, if not at the writer. */
	enum store_lane (*lane)(const void *arguments);
	enum task_kind kind; // of job_submit()
} submissions[_METHOD_MAX] = {
	[METHOD_ADD_EPOCHS] = { epochs_add },
	[METHOD_BATCH_RUN] = { batch_submit, batch_submit_lane },
	[METHOD_CALL] = { job_submit, call_submit_lane, TASK_KIND_CALL },
	[METHOD_EMBED] = { job_submit, embed_submit_lane, TASK_KIND_EMBEDDING },
	[METHOD_GENERATE_CRITERIA] = { job_submit, .kind = TASK_KIND_GENERATION },
	[METHOD_GENERATE_TEMPLATE_VARIABLES] = { job_submit, .kind = TASK_KIND_GENERATION },
	[METHOD_GET_OR_GENERATE_CRITERIA] = { criteria_submit, .kind = TASK_KIND_GENERATION },
	[METHOD_PREFER_EXPERIMENTS] = { preference_submit },
	[METHOD_RATE_EXPERIMENT] = { rating_submit },
	[METHOD_RATE_RESPONSES] = { rating_submit, rating_submit_lane },
	[METHOD_RETRY_FAILED] = { failed_retry },
	[METHOD_RETRY_TASK] = { task_retry },
	[METHOD_RUN_EVALUATOR] = { job_submit, .kind = TASK_KIND_EVALUATOR },
	[METHOD_RUN_EXPERIMENT] = { experiment_submit, experiment_submit_lane },
	[METHOD_RUN_JUDGE] = { job_submit, .kind = TASK_KIND_EVALUATOR },
	[METHOD_RUN_SKILL] = { job_submit, .kind = TASK_KIND_SKILL },
	[METHOD_TEST_LLM_CONFIG] = { job_submit, .kind = TASK_KIND_TEST },
	[METHOD_VALIDATE_SKILL] = { job_submit, .kind = TASK_KIND_SKILL },
};

bool store_makes_task(const struct method *method)
{
	return submissions[method->id].run;
}

static int submit(struct tx *tx, struct store_request *request)
{
	struct task_submit *op = (struct task_submit *)request;

	return submissions[op->method->id].run(tx, op);
}

void store_task_submit(struct store *store, struct task_submit *op)
{
	const struct submission *submission = &submissions[op->method->id];

	assert(submission->run);
	op->kind = submission->kind;
	tx_post(store, &op->request, submission->lane ? submission->lane(op->arguments) : STORE_WRITE,
		submit, op->method->name);
}
