#include "daemon/work/judging/scoring.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/work/conversation/structured.h"
#include "daemon/work/judging/metrics/metric.h"
#include "daemon/work/judging/score.h"

/* ---- The configs ---- */

int scorers_init(struct scorers *scorers, struct run *run, const struct run_spec *spec,
		 struct fault *fault)
{
	int r = 0;

	scorers->run = run;
	scorers->spec = spec;
	scorers->items = arena_array(&run->arena, spec->n_configs, sizeof(*scorers->items));
	if (!scorers->items)
		return fault_oom(fault);
	scorers->n = spec->n_configs;
	for (size_t i = 0; r >= 0 && i < scorers->n; i++)
		r = model_init(&scorers->items[i], run, &run->routes[RUN_OWN_ROUTES + i], spec->configs[i].config,
			       &spec->configs[i].taken, fault);
	return r;
}

void scorers_done(struct scorers *scorers)
{
	for (size_t i = 0; i < scorers->n; i++)
		model_done(&scorers->items[i]);
}

void scorers_tune(struct scorers *scorers)
{
	for (size_t i = 0; i < scorers->n; i++)
		scorers->items[i].route->cap = run_cap_of(scorers->run, scorers->items[i].config);
}

static const struct model *first_of(const struct scorers *scorers, const struct run_evaluator *evaluator)
{
	return model_first(scorers->items, evaluator->configs, evaluator->n_configs, 0);
}

bool scorers_can_ask(const struct scorers *scorers, const struct run_evaluator *evaluator)
{
	return evaluator->n_configs == 0 || first_of(scorers, evaluator);
}

bool scorers_have_room(const struct scorers *scorers, const struct run_evaluator *evaluator)
{
	const struct model *model = first_of(scorers, evaluator);

	return !model || route_has_room(scorers->run, model->route);
}

bool scorers_are_broken(const struct scorers *scorers, struct fault *ret_fault)
{
	const struct run_spec *spec = scorers->spec;

	for (size_t i = 0; i < spec->n_evaluators; i++) {
		const struct run_evaluator *evaluator = &spec->evaluators[i];

		if (scorers_can_ask(scorers, evaluator))
			return false;
		*ret_fault = scorers->items[evaluator->configs[0]].broken;
	}
	return true;
}

/* ---- Asking ---- */

static void weigh(struct scoring *scoring)
{
	size_t bytes = arena_size(&scoring->arena);

	run_weigh(scoring->scorers->run, RUN_QUESTIONS, scoring->bytes, bytes);
	scoring->bytes = bytes;
}

static void submit(struct scoring *scoring)
{
	struct llm_call *call = &scoring->asking.call;

	snprintf(call->idempotency_key, sizeof(call->idempotency_key), "ellu-%s-%zu%s-%08" PRIx32,
		 scoring->key, scoring->chain.at, scoring->asking.again ? "-r" : "",
		 run_messages_hash(call->messages, call->n_messages));
	weigh(scoring);
	run_call_submit(&scoring->asking);
}

static void on_answered(struct run_call *asking);
static void on_failed(struct run_call *asking);

/* Such a model answers no question, and no other makes vectors: their names tell. */
static bool makes_vectors(const struct model *model)
{
	struct fault fault;
	size_t max;

	return strcasestr(model->config->llm_model_name, "embed") &&
	       llm_target_texts_max(model->target, &max, &fault) >= 0 && max >= 2;
}

static void ask(struct scoring *scoring, const struct ellu_message *const *messages, size_t n_messages)
{
	struct model *model = chain_model(&scoring->chain);
	struct run_call *asking = &scoring->asking;

	arena_done(&asking->call.arena);
	*asking = (struct run_call){ .answered = on_answered, .failed = on_failed, .own_trouble = true };
	run_call_init(asking, scoring->scorers->run, model->route, model->target);
	asking->epoch = scoring->epoch;
	if (scoring->evaluator->embeddings && makes_vectors(model)) {
		scoring->embedding = (struct llm_embedding){ scoring->texts, 2, NULL, "similarity" };
		asking->call.embedding = &scoring->embedding;
	} else {
		asking->call.plain = true;
		asking->call.response_format = SCORE_FORMAT;
		asking->call.messages = messages;
		asking->call.n_messages = n_messages;
	}
	scoring->config = model->config;
	submit(scoring);
}

/* Both inputs of one that compares. */
static void take_texts(struct scoring *scoring, json_object *values)
{
	const char *const *inputs = scoring->evaluator->evaluator->inputs;

	for (size_t i = 0; scoring->evaluator->embeddings && i < 2; i++)
		scoring->texts[i] = json_object_get_string(json_object_object_get(values, inputs[i]));
}

/* What is wrong with its inputs is the score's own trouble. */
static void decide(struct scoring *scoring, json_object *values)
{
	struct metric_score score = { 0 };
	size_t steps;
	int r = metric_decide(scoring->evaluator->function, values, &scoring->arena, &score, &steps,
			      &scoring->fault);

	scoring->scored = r >= 0;
	scoring->score = score.score;
	scoring->justification = score.justification;
	run_took(scoring->scorers->run, steps);
	weigh(scoring);
}

/* Its first config. False: there is none, by the fault. */
static bool begin_chain(struct scoring *scoring)
{
	const struct run_evaluator *evaluator = scoring->evaluator;
	struct model *models = scoring->scorers->items;

	scoring->chain = (struct chain){ .models = models, .order = evaluator->configs, .n = evaluator->n_configs };
	if (chain_begin(&scoring->chain, &scoring->fault))
		return true;
	if (evaluator->n_configs == 0)
		fault_invalid(&scoring->fault, "llm_config", "a config to judge with");
	else
		scoring->config = models[evaluator->configs[evaluator->n_configs - 1]].config;
	return false;
}

static void begin(struct scoring *scoring, struct scorers *scorers)
{
	scoring->scorers = scorers;
	scoring->asking.run = scorers->run;
	scoring->asking.call.input_tokens = scoring->asking.call.output_tokens = -1;
	scoring->asking.call.cached_tokens = scoring->asking.call.cost_nanodollars = -1;
	scoring->total = RUN_TOTAL_NONE;
}

void scoring_refuse(struct scoring *scoring, struct scorers *scorers, int code, const char *why)
{
	begin(scoring, scorers);
	fault_set(&scoring->fault, code, "%s", why);
	scoring->done(scoring);
}

void scoring_start(struct scoring *scoring, struct scorers *scorers, json_object *values)
{
	begin(scoring, scorers);
	if (scoring->evaluator->function) {
		decide(scoring, values);
	} else if (begin_chain(scoring) &&
		   score_ask(scoring->evaluator->evaluator, values, &scoring->arena, &scoring->messages,
			     &scoring->n_messages, &scoring->fault) >= 0) {
		take_texts(scoring, values);
		ask(scoring, scoring->messages, scoring->n_messages);
		return;
	}
	if (scoring->fault.code == ELLU_E_INTERNAL)
		run_fail(scorers->run, &scoring->fault);
	else
		scoring->done(scoring);
}

void scoring_release(struct scoring *scoring)
{
	/* A run that has ended holds nothing any more. */
	if (scoring->scorers && scoring->scorers->run->phase != RUN_ENDED)
		run_weigh(scoring->scorers->run, RUN_QUESTIONS, scoring->bytes, 0);
	scoring->bytes = 0;
	arena_done(&scoring->asking.call.arena);
	arena_done(&scoring->arena);
}

int scoring_values(json_object *request, json_object **ret_values)
{
	static const char *const named[] = { "request", "response", "contexts", "expected_output", "tools" };
	json_object *variables = json_object_object_get(request, "variables"), *value;
	json_object *values = variables ? json_object_get(variables) : json_object_new_object();

	for (size_t i = 0; values && i < sizeof(named) / sizeof(named[0]); i++) {
		value = json_object_object_get(request, named[i]);
		if (value && json_object_object_add(values, named[i], json_object_get(value)) < 0) {
			json_object_put(value);
			json_object_put(values);
			return -ENOMEM;
		}
	}
	*ret_values = values;
	return values ? 0 : -ENOMEM;
}

/* ---- What came back ---- */

static bool may_ask(const struct scoring *scoring)
{
	const struct run *run = scoring->scorers->run;

	return run->phase == RUN_RUNNING && !run->over_budget;
}

static void on_failed(struct run_call *asking)
{
	struct scoring *scoring = container_of(asking, struct scoring, asking);
	const char *name = scoring->evaluator->evaluator->name;
	char what[CHAIN_WHAT_SIZE];
	bool may_go_on;

	run_total_add(&scoring->total, &asking->call);
	snprintf(what, sizeof(what), "evaluator '%s': ", name);
	may_go_on = chain_go_on(&scoring->chain, asking, what);
	scoring->fault = asking->call.fault;
	if (!may_go_on) {
		scoring->done(scoring);
		return;
	}
	run_call_lost(asking);
	if (may_ask(scoring))
		ask(scoring, scoring->messages, scoring->n_messages); // or it stays missing
}

static void ask_again(struct scoring *scoring, const struct schema_problem *problem)
{
	struct run_call *asking = &scoring->asking;
	const struct llm_call *call = &asking->call;
	const struct ellu_message *const *messages;
	size_t n_messages;

	run_call_lost(asking);
	if (!may_ask(scoring))
		return; // it stays missing
	if (structured_ask_again(call->messages, call->n_messages, SCORE_FORMAT, call->text ? call->text : "",
				 problem, &scoring->arena, &messages, &n_messages) < 0) {
		run_fail_oom(asking->run);
		return;
	}
	ask(scoring, messages, n_messages);
}

/* The cosine of the angle between both; NAN where one of them has no direction. */
static double cosine(const double *vectors, size_t n)
{
	double product = 0, a = 0, b = 0;

	for (size_t i = 0; i < n; i++) {
		product += vectors[i] * vectors[n + i];
		a += vectors[i] * vectors[i];
		b += vectors[n + i] * vectors[n + i];
	}
	return a > 0 && b > 0 ? product / (sqrt(a) * sqrt(b)) : NAN;
}

/* As score_parse(). Opposite texts are no less alike than unlike ones. */
static int compare(struct scoring *scoring, struct schema_problem *ret_problem)
{
	const struct llm_call *call = &scoring->asking.call;
	double value = cosine(call->vectors, call->n_dimensions);

	if (!isfinite(value)) {
		snprintf(ret_problem->text, sizeof(ret_problem->text), "a vector without a direction");
		return 0;
	}
	scoring->score = value < 0 ? 0 : value > 1 ? 1 : value;
	scoring->justification = arena_printf(&scoring->arena, "by embeddings of %s: their cosine is %.4f",
					      scoring->config->llm_model_name, value);
	return scoring->justification ? 1 : -ENOMEM;
}

/* What an evaluator that could compare says of how it did. */
static int say_judged(struct scoring *scoring)
{
	if (!scoring->evaluator->embeddings || !scoring->scored || scoring->asking.call.embedding)
		return 0;
	scoring->justification = arena_printf(&scoring->arena, "by a judge's prompt: %s",
					      scoring->justification ? scoring->justification : "");
	return scoring->justification ? 0 : -ENOMEM;
}

static void on_answered(struct run_call *asking)
{
	struct scoring *scoring = container_of(asking, struct scoring, asking);
	struct schema_problem problem;
	int r = asking->call.embedding ? compare(scoring, &problem) :
					 score_parse(asking->call.text, &scoring->arena, &scoring->score,
						     &scoring->justification, &problem);

	scoring->scored = r > 0;
	if (r < 0 || say_judged(scoring) < 0) {
		run_fail_oom(asking->run);
		return;
	}
	run_total_add(&scoring->total, &asking->call);
	if (r > 0) {
		scoring->fault = (struct fault){ 0 };
		scoring->done(scoring);
	} else if (asking->call.n_messages == SCORE_MESSAGES) {
		ask_again(scoring, &problem);
	} else {
		fault_set(&scoring->fault, ELLU_E_BACKEND_REJECTED,
			  "the judge's answer holds no score, asked twice: %s", problem.text);
		scoring->fault.status = 200;
		scoring->done(scoring);
	}
}

/* ---- The record ---- */

int scoring_result(const struct scoring *scoring, struct arena *arena,
		   const struct ellu_evaluator_result **ret_result)
{
	const struct ellu_evaluator *evaluator = scoring->evaluator->evaluator;
	const struct run_total *total = &scoring->total;
	struct ellu_evaluator_result *result = arena_alloc(arena, sizeof(*result));

	if (!result)
		return -ENOMEM;
	*result = ELLU_RECORD(struct ellu_evaluator_result);
	result->evaluator_id = evaluator->id;
	result->evaluator_name = evaluator->name;
	result->version = evaluator->version;
	result->status = scoring->scored ? "finished" : "failed";
	result->score = scoring->scored ? arena_float(arena, scoring->score) : NULL;
	result->justification = scoring->scored ? arena_strdup(arena, scoring->justification) : NULL;
	result->model = scoring->config ? scoring->config->llm_model_name : NULL;
	result->attempts = total->attempts;
	result->duration_seconds = (double)total->duration_usec / USEC_PER_SEC;
	result->usage = run_total_usage(total, arena, &result->cost);
	if (!result->usage)
		return -ENOMEM;
	*ret_result = result;
	return scoring->scored ? 0 : fault_to_error(&scoring->fault, arena, &result->error);
}
