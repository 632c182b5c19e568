/*
 * What a run of a skill is pinned to: the skill's version, which its request then has; the models that may
 * answer; and its validators, and what they ask.
 */
#include <errno.h>
#include <string.h>

#include "daemon/store/resources/evaluators/evaluator.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/resources/evaluators/skill.h"
#include "daemon/store/runs/evaluators.h"
#include "daemon/store/runs/run_configs.h"
#include "daemon/store/submit/task_submit.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

struct pin {
	struct tx *tx;
	const struct task_submit *op;
	const struct scope *scope;
	struct place place;
	struct run_row *run;
	struct notes *notes;
	const struct ellu_skill *skill;
	int64_t config_id; // that it names; 0: none
	int64_t fallbacks[FALLBACKS_MAX];
	size_t n_fallbacks;
	const struct ellu_evaluator *evaluators[RUN_EVALUATORS_MAX]; // of its validators
};

/* In the version that is the latest now, unless it is said. */
static int find(struct pin *pin)
{
	struct ellu_skill *skill;
	size_t bytes = 0;
	int64_t id;
	int r = resource_resolve(pin->tx, &resource_skill, pin->scope,
				 task_submit_member(pin->op, "skill"), &id);

	if (r >= 0)
		r = skill_load(pin->tx, id, &skill);
	if (r < 0)
		return r;
	pin->skill = skill;
	for (size_t i = 0; r >= 0 && i < skill->n_validators; i++)
		r = evaluator_resolve_next(pin->tx, pin->scope, skill->validators[i]->evaluator, &bytes,
					   &pin->evaluators[i]);
	return r;
}

/* ---- Inputs ---- */

/* Whether the prompt is rendered: it is asked, or shown to one who judges. */
static bool needs_prompt(const struct pin *pin)
{
	if (!task_submit_member(pin->op, "response"))
		return true;
	if (task_submit_member(pin->op, "request"))
		return false;
	for (size_t i = 0; i < pin->skill->n_validators; i++)
		for (size_t k = 0; k < pin->evaluators[i]->n_inputs; k++)
			if (strcmp(pin->evaluators[i]->inputs[k], "request") == 0)
				return true;
	return false;
}

/* What evaluators have for inputs may stand in the prompt as well. */
static bool is_there(const struct pin *pin, json_object *variables, const char *placeholder)
{
	const bool is_input = strcmp(placeholder, "contexts") == 0 ||
			      strcmp(placeholder, "expected_output") == 0;

	return json_object_object_get(variables, placeholder) ||
	       (is_input && task_submit_member(pin->op, placeholder));
}

static int check_placeholders(const struct pin *pin)
{
	const char *text = task_submit_member(pin->op, "variables");
	json_object *variables = tx_parse(text ? text : "{}");
	struct tx *tx = pin->tx;
	int r = variables ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < pin->skill->n_placeholders; i++) {
		const char *name = pin->skill->placeholders[i];

		if (!is_there(pin, variables, name))
			r = fault_invalid(tx->fault, tx_printf(tx, "variables.%s", name),
					  "a value, since the prompt of the skill has it for a placeholder");
	}
	json_object_put(variables);
	return r;
}

/* What is asked, and answered, will be there. */
static int check_inputs(const struct pin *pin)
{
	struct ellu_validate_skill_request inputs = ELLU_RECORD(struct ellu_validate_skill_request);
	int r = needs_prompt(pin) ? check_placeholders(pin) : 0;

	record_lend(pin->op->method->request, pin->op->arguments, &ellu_validate_skill_request_type, &inputs);
	inputs.request = inputs.request ? inputs.request : "";
	inputs.response = inputs.response ? inputs.response : "";
	for (size_t i = 0; r >= 0 && i < pin->skill->n_validators; i++)
		r = evaluator_check_inputs(pin->tx, pin->evaluators[i], /* path= */ "",
					   &ellu_validate_skill_request_type, &inputs);
	return r;
}

/* ---- Models ---- */

static int find_models(struct pin *pin)
{
	const struct ellu_skill *skill = pin->skill;
	int r = 0;

	if (skill->llm_config)
		r = resource_resolve(pin->tx, &resource_llm_config, pin->scope, skill->llm_config,
				     &pin->config_id);
	if (task_submit_member(pin->op, "response"))
		return r == ELLU_E_NOT_FOUND ? 0 : r; // it is not asked, and judges nothing if it is gone
	if (r < 0)
		return r;
	pin->run->config_id = pin->config_id;
	if (!skill->llm_config)
		r = llm_config_take(pin->tx, pin->scope, &pin->place, NULL, "llm_config",
				    /* may_update= */ false, pin->notes, &pin->run->config_id);
	if (r == 0 && !skill->llm_config)
		r = fault_not_found(pin->tx->fault, "llm_config", NULL, 0);
	if (r >= 0)
		r = run_own_config_pin(pin->tx, pin->run);
	for (; r >= 0 && pin->n_fallbacks < skill->n_fallback_llm_configs; pin->n_fallbacks++)
		r = resource_resolve(pin->tx, &resource_llm_config, pin->scope,
				     skill->fallback_llm_configs[pin->n_fallbacks],
				     &pin->fallbacks[pin->n_fallbacks]);
	return r < 0 ? r : 0;
}

/* ---- Pinning ---- */

/* What work/kinds/skill.c reads. The request is an object with a response, variables and the like, or empty. */
static int add_skill(struct pin *pin)
{
	const char *text, *request = pin->run->request;
	int r = tx_encode(pin->tx, &ellu_skill_type, pin->skill, &text);

	if (r < 0)
		return r;
	pin->run->request = tx_printf(pin->tx, "{\"skill\":%s%s%s", text, request[1] == '}' ? "" : ",",
				      request + 1);
	pin->run->skill_id = *pin->skill->id;
	return pin->run->request ? 0 : -ENOMEM;
}

static int pin(struct pin *pin)
{
	const struct evaluator_list evaluators = { .items = pin->evaluators, .n = pin->skill->n_validators,
						   .config_id = pin->config_id };
	struct tx *tx = pin->tx;
	int r = tx_encode(tx, &ellu_generation_params_type, task_submit_member(pin->op, "generation_params"),
			  &pin->run->generation_params);

	if (r >= 0)
		r = run_insert(tx, pin->run, &(struct tx_list){ 0 }, &pin->run->id);
	if (r >= 0)
		r = run_fallbacks_pin(tx, pin->run, pin->fallbacks, pin->n_fallbacks);
	return r < 0 ? r : run_evaluators_pin(tx, pin->run, pin->scope, /* instead= */ NULL, &evaluators,
					      pin->notes);
}

int skill_pin(struct tx *tx, const struct task_submit *op, const struct scope *scope, struct run_row *run,
	      struct notes *notes)
{
	struct pin skill = {
		.tx = tx, .op = op, .scope = scope, .run = run, .notes = notes,
		.place = { .owner_uid = run->owner_uid, .project_id = run->project_id,
			   .administers = scope->administers },
	};
	int r = find(&skill);

	if (r >= 0)
		r = find_models(&skill);
	if (r >= 0)
		r = check_inputs(&skill);
	if (r >= 0)
		r = add_skill(&skill);
	return r < 0 ? r : pin(&skill);
}
