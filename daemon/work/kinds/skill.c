/*
 * The kind `skill`: a model answers, or the next one where it cannot, and then evaluators score the answer,
 * all at the same time. One that is below a threshold may be asked for again, with what they said of it. Or
 * the answer was made elsewhere, and no model is asked for it. What came of it is the task's result; nothing
 * else is recorded but what it took.
 *
 * Whatever goes wrong with a model or with a validator is a part of the result, as long as there is an
 * answer.
 */
#include <errno.h>
#include <inttypes.h>
#include <json.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/work/judging/scoring.h"
#include "daemon/work/judging/validation.h"
#include "proto/content/template.h"
#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/usage.h"

enum skill_step {
	SKILL_TO_ASK,
	SKILL_ASKED,
	SKILL_TO_JUDGE,
	SKILL_JUDGING,
	SKILL_COMPLETE,
};

struct skill_run;

struct validator {
	struct scoring scoring;
	struct skill_run *run;
	struct ellu_validator_result result; // of the last answer
};

struct skill_run {
	struct run base;
	const struct ellu_skill *skill;
	int64_t asks_left; // for answers that are not valid
	json_object *values; // what evaluators have for inputs, by their names
	struct scorers scorers;
	struct answerers answerers;
	struct chain chain; // of them
	const struct ellu_message *const *messages;
	size_t n_messages;
	struct run_call asking;
	enum skill_step step;
	struct validator *validators;
	const struct ellu_validator_result **results; // of each
	size_t n_started; // that judge, or have
	size_t n_judging; // that have not yet
	int64_t duration_usec; // of the answers
	int64_t cost_nanodollars; // of all that was asked; -1: unknown
	size_t bytes; // of RUN_ITEMS
	struct run_spend spend;
	struct ellu_skill_result result;
	struct ellu_validation validation;
	const struct ellu_failed_model **failed_models;
};

static const struct ellu_llm_config *asked_config(const struct skill_run *run)
{
	return chain_model(&run->chain)->config;
}

static void weigh(struct skill_run *run)
{
	size_t bytes = arena_size(&run->base.arena);

	run_weigh(&run->base, RUN_ITEMS, run->bytes, bytes);
	run->bytes = bytes;
}

/* ---- Loading ---- */

/* The request has the skill, and what its method says. */
static int read_request(struct skill_run *run, struct fault *fault)
{
	json_object *request = json_stored(run->base.spec->request);
	struct arena *arena = &run->base.arena;
	void *skill;
	int r;

	if (!request)
		return fault_oom(fault);
	r = record_decode(&ellu_skill_type, json_object_object_get(request, "skill"), FROM_STORE, "skill",
			  arena, &skill, fault);
	if (r >= 0) {
		run->skill = skill;
		run->asks_left = json_object_get_int64(json_object_object_get(request, "until_valid"));
		run->result.response = arena_strdup(arena, json_object_get_string(
							    json_object_object_get(request, "response")));
		r = scoring_values(request, &run->values) < 0 ? fault_oom(fault) : 0;
	}
	json_object_put(request);
	return r;
}

static int set_value(struct skill_run *run, const char *name, const char *text)
{
	json_object *value = json_object_new_string(text);

	if (value && json_object_object_add(run->values, name, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

/* Where an answer was made elsewhere, what was asked may be known, or not be needed: then placeholders may
 * be without a value. */
static int render(struct skill_run *run, struct fault *fault)
{
	const bool is_made = run->result.response;
	int r;

	if (is_made && json_object_object_get_ex(run->values, "request", NULL))
		return 0;
	r = template_render(run->skill->prompt, run->values, &run->base.arena, &run->result.rendered_prompt,
			    fault);
	if (r == ELLU_E_INVALID_PARAMETER && is_made) {
		*fault = (struct fault){ 0 };
		return 0;
	}
	if (r >= 0)
		r = set_value(run, "request", run->result.rendered_prompt) < 0 ? fault_oom(fault) : 0;
	return r;
}

static int fill_messages(struct skill_run *run)
{
	struct ellu_message *message = arena_alloc(&run->base.arena, sizeof(*message));
	const struct ellu_message **list = arena_array(&run->base.arena, 1, sizeof(*list));

	if (!message || !list)
		return -ENOMEM;
	*message = ELLU_RECORD(struct ellu_message);
	message->role = "user";
	message->content = run->result.rendered_prompt;
	list[0] = message;
	run->messages = list;
	run->n_messages = 1;
	return 0;
}

/* As long as nobody has judged. */
static void clear_results(struct skill_run *run)
{
	for (size_t i = 0; i < run->base.spec->n_evaluators; i++) {
		const struct ellu_evaluator *evaluator = run->base.spec->evaluators[i].evaluator;
		struct ellu_validator_result *result = &run->validators[i].result;

		*result = ELLU_RECORD(struct ellu_validator_result);
		result->evaluator_name = evaluator->name;
		result->evaluator_id = evaluator->id;
		result->version = evaluator->version;
		result->threshold = run->skill->validators[i]->threshold;
		result->status = "skipped";
		result->is_valid = false;
		run->results[i] = result;
	}
}

static int fill_result(struct skill_run *run)
{
	const size_t n = run->base.spec->n_evaluators;
	struct arena *arena = &run->base.arena;

	run->validators = arena_array(arena, n, sizeof(*run->validators));
	run->results = arena_array(arena, n, sizeof(*run->results));
	run->failed_models = arena_array(arena, run->chain.n, sizeof(*run->failed_models));
	if (!run->validators || !run->results || !run->failed_models || n != run->skill->n_validators)
		return -ENOMEM;
	memset(run->validators, 0, n * sizeof(*run->validators));
	clear_results(run);
	run->validation = ELLU_RECORD(struct ellu_validation);
	run->validation.validator_results = run->results;
	run->validation.n_validator_results = n;
	run->result.skill_id = *run->skill->id;
	run->result.skill_name = run->skill->name;
	run->result.version = *run->skill->version;
	run->result.validation = &run->validation;
	run->step = run->result.response ? SKILL_TO_JUDGE : SKILL_TO_ASK;
	return 0;
}

static int begin(struct run *base, struct fault *fault)
{
	struct skill_run *run = (struct skill_run *)base;
	int r;

	run->result = ELLU_RECORD(struct ellu_skill_result);
	run->cost_nanodollars = -1;
	r = read_request(run, fault);
	if (r >= 0)
		r = render(run, fault);
	if (r >= 0)
		r = answerers_init(&run->answerers, &run->base, run->base.spec, run->base.spec->config, fault);
	if (r < 0)
		return r;
	run->chain = (struct chain){ .models = run->answerers.items, .n = run->answerers.n };
	if (fill_messages(run) < 0 || fill_result(run) < 0)
		return fault_oom(fault);
	r = scorers_init(&run->scorers, &run->base, run->base.spec, fault);
	if (r >= 0)
		r = run_begin(&run->base, fault);
	if (r >= 0)
		weigh(run);
	return r;
}

static void tune(struct run *base)
{
	struct skill_run *run = (struct skill_run *)base;

	answerers_tune(&run->answerers, base);
	scorers_tune(&run->scorers);
}

/* ---- The answer ---- */

static void on_answered(struct run_call *asking);
static void on_failed(struct run_call *asking);

static void ask(struct skill_run *run)
{
	const struct model *model = chain_model(&run->chain);
	struct run_call *asking = &run->asking;
	struct llm_call *call = &asking->call;

	arena_done(&call->arena);
	*asking = (struct run_call){ .answered = on_answered, .failed = on_failed, .own_trouble = true };
	run_call_init(asking, &run->base, model->route, model->target);
	asking->epoch = run->base.spec->epochs[0].epoch;
	call->messages = run->messages;
	call->n_messages = run->n_messages;
	call->params = run->base.spec->generation_params;
	snprintf(call->idempotency_key, sizeof(call->idempotency_key), "ellu-s%" PRId64 "-%zu-%08" PRIx32,
		 run->base.spec->run_id, run->chain.at, run_messages_hash(call->messages, call->n_messages));
	run_call_submit(asking);
}

/* What it took is recorded, and nothing of it kept. */
static void settle(struct skill_run *run)
{
	const struct llm_call *call = &run->asking.call;

	usage_add(&run->cost_nanodollars, call->cost_nanodollars);
	run->duration_usec += call->duration_usec;
	run_call_lost(&run->asking);
}

static void on_answered(struct run_call *asking)
{
	struct skill_run *run = container_of(asking, struct skill_run, asking);
	const char *text = asking->call.text ? asking->call.text : "";

	run->result.model = asked_config(run)->llm_model_name;
	run->result.response = arena_strdup(&run->base.arena, text);
	if (!run->result.response || set_value(run, "response", text) < 0) {
		run_fail_oom(&run->base);
		return;
	}
	run->result.answers++;
	settle(run);
	weigh(run);
	run->step = SKILL_TO_JUDGE;
}

static int note_failure(struct skill_run *run, const struct fault *fault)
{
	struct ellu_failed_model *failed = arena_alloc(&run->base.arena, sizeof(*failed));

	if (!failed)
		return -ENOMEM;
	*failed = ELLU_RECORD(struct ellu_failed_model);
	failed->llm_config_name = asked_config(run)->name;
	failed->model = asked_config(run)->llm_model_name;
	run->failed_models[run->result.n_failed_models++] = failed;
	run->result.failed_models = run->failed_models;
	return fault_to_error(fault, &run->base.arena, &failed->error);
}

static void fill_cost(struct skill_run *run)
{
	run->result.duration_seconds = (double)run->duration_usec / USEC_PER_SEC;
	run->result.cost = run->cost_nanodollars < 0 ? NULL : &run->cost_nanodollars;
}

/* The task has for its result which models were asked. */
static void fail(struct skill_run *run, const struct fault *fault)
{
	if (run->base.phase == RUN_RUNNING) {
		fill_cost(run);
		run->base.result = ELLU_RECORD(struct ellu_task_result);
		run->base.result.skill = &run->result;
		run->base.end.result = &run->base.result;
	}
	run_fail(&run->base, fault);
}

/* The next one is asked. Where there is none, an answer that was had before is what there is. */
static void on_failed(struct run_call *asking)
{
	struct skill_run *run = container_of(asking, struct skill_run, asking);
	const struct fault *fault = &asking->call.fault;
	const struct model *next;

	if (note_failure(run, fault) < 0) {
		run_fail_oom(&run->base);
		return;
	}
	next = chain_go_on(&run->chain, asking, "");
	settle(run);
	weigh(run);
	if (next)
		run->step = SKILL_TO_ASK;
	else if (run->result.response)
		run->step = SKILL_COMPLETE;
	else
		fail(run, fault);
}

/* ---- Its validators ---- */

static void conclude_round(struct skill_run *run)
{
	const struct ellu_validator_result *const *results = run->results;
	const size_t n = run->validation.n_validator_results;

	run->validation.is_valid = validation_is_valid(results, n);
	run->step = SKILL_COMPLETE;
	if (run->asks_left == 0 || run->chain.n == 0 || !validation_may_improve(results, n))
		return;
	if (validation_ask_again(run->messages, run->n_messages, run->result.response, results, n,
				 &run->base.arena, &run->messages, &run->n_messages) < 0) {
		run_fail_oom(&run->base);
		return;
	}
	run_log_line(&run->base.log, "the answer is not valid, and asked for again");
	weigh(run);
	run->asks_left--;
	run->step = SKILL_TO_ASK;
}

static int take_score(struct validator *validator)
{
	struct ellu_validator_result *result = &validator->result;
	struct arena *arena = &validator->run->base.arena;
	const struct ellu_evaluator_result *score;
	int r = scoring_result(&validator->scoring, arena, &score);

	if (r < 0)
		return r;
	result->result = score->score;
	result->justification = score->justification;
	result->model = score->model;
	result->cost = score->cost;
	result->error = score->error;
	validation_decide(result);
	return 0;
}

static void on_scored(struct scoring *scoring)
{
	struct validator *validator = container_of(scoring, struct validator, scoring);
	struct skill_run *run = validator->run;

	if (take_score(validator) < 0) {
		run_fail_oom(&run->base);
		return;
	}
	if (validator->result.error)
		run_log_line(&run->base.log, "validator '%s': %s", validator->result.evaluator_name,
			     scoring->fault.message);
	usage_add(&run->cost_nanodollars, scoring->total.cost_nanodollars);
	run_call_lost(&scoring->asking);
	scoring_release(scoring);
	weigh(run);
	if (--run->n_judging == 0)
		conclude_round(run);
}

/* It may be done at once. */
static void judge_next(struct skill_run *run)
{
	const struct run_spec *spec = run->base.spec;
	struct validator *validator = &run->validators[run->n_started];
	struct scoring *scoring = &validator->scoring;

	validator->run = run;
	*scoring = (struct scoring){ .evaluator = &spec->evaluators[run->n_started],
				     .epoch = spec->epochs[0].epoch, .done = on_scored };
	snprintf(scoring->key, sizeof(scoring->key), "v%" PRId64 "-%" PRId64 "-%zu", spec->run_id,
		 run->result.answers, run->n_started++);
	scoring_start(scoring, &run->scorers, run->values);
}

static void judge(struct skill_run *run)
{
	clear_results(run);
	run->step = SKILL_JUDGING;
	run->n_started = 0;
	run->n_judging = run->base.spec->n_evaluators;
	if (run->n_judging == 0)
		conclude_round(run);
}

static void issue_step(struct skill_run *run)
{
	struct run *base = &run->base;

	/* What came before counts before more is asked for. */
	if (run->step != SKILL_JUDGING && base->n_outstanding > 0)
		return;
	base->n_open = 1;
	if (run->step == SKILL_TO_ASK && run_may_spend(base) && run_may_hold(base, RUN_ITEMS)) {
		run->step = SKILL_ASKED;
		ask(run);
	} else if (run->step == SKILL_TO_JUDGE) {
		judge(run);
	}
	while (run->step == SKILL_JUDGING && run->n_started < run->base.spec->n_evaluators &&
	       base->phase == RUN_RUNNING && run_may_spend(base) && run_has_time(base) &&
	       run_may_hold(base, RUN_QUESTIONS))
		judge_next(run);
}

static bool issue(struct run *base)
{
	struct skill_run *run = (struct skill_run *)base;
	enum skill_step step;

	do {
		step = run->step;
		issue_step(run);
	} while (base->phase == RUN_RUNNING && run->step != step);
	return run->step == SKILL_COMPLETE;
}

/* ---- The end ---- */

static void end(struct run *base)
{
	struct skill_run *run = (struct skill_run *)base;

	run_item_done(base, &run->spend);
	fill_cost(run);
	base->result.skill = &run->result;
}

/* What it took is recorded with each call. */
static void conclude(struct run *base)
{
	run_item_conclude(base, &((struct skill_run *)base)->spend);
}

static void free_run(struct run *base)
{
	struct skill_run *run = (struct skill_run *)base;

	for (size_t i = 0; i < run->validation.n_validator_results; i++)
		scoring_release(&run->validators[i].scoring);
	arena_done(&run->asking.call.arena);
	json_object_put(run->values);
	answerers_done(&run->answerers);
	scorers_done(&run->scorers);
	store_request_done(&run->spend.request);
}

const struct job_kind skill_kind = {
	.size = sizeof(struct skill_run),
	.free = free_run,
	.begin = begin,
	.issue = issue,
	.conclude = conclude,
	.end = end,
	.tune = tune,
};
