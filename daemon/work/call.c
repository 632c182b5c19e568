/*
 * The kinds `call` and `test`: one chat completion. The one item of a call stands in the request,
 * that of a test is always the same; the answer, or that there was one, is the task's result, and
 * nothing else is recorded of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <json.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/store/runs.h"
#include "daemon/work/run.h"
#include "proto/generated/interface.h"
#include "proto/template.h"

struct call_run {
	struct run base;
	struct run_load load;
	const struct ellu_call_request *request; // NULL until loaded
	const struct ellu_message *const *messages;
	size_t n_messages;
	struct llm_target *target;
	struct run_call asking;
	size_t bytes; // of RUN_ITEMS
	struct run_spend spend;
	struct ellu_call_result result;
	struct ellu_usage usage; // of `result`
	struct ellu_test_result test; // what is told of it, when it is one
};

static bool is_test(const struct call_run *run)
{
	return run->base.task.kind == TASK_KIND_TEST;
}

/* ---- Loading ---- */

/* With the config's own parameters: a limit of our own on the answer would refuse models that think
 * first, and not be a test of what runs do. */
static const struct ellu_message test_message = {
	.struct_size = sizeof(struct ellu_message),
	.role = "user",
	.content = "Answer with the word OK alone.",
};
static const struct ellu_message *const test_messages[] = { &test_message };
static const struct ellu_call_request test_request = {
	.struct_size = sizeof(struct ellu_call_request),
	.messages = test_messages,
	.n_messages = 1,
};

static int read_request(struct call_run *run, struct fault *fault)
{
	const char *text = run->load.ret_spec->request;
	void *request;
	int r;

	if (is_test(run)) {
		run->request = &test_request;
		return 0;
	}
	r = record_from_text(&ellu_call_request_type, text, strlen(text), FROM_STORE, &run->base.arena,
			     &request, fault);
	if (r >= 0)
		run->request = request;
	return r;
}

/* Who tests wants to be told of what fails, not to wait it out. */
static int make_target(struct call_run *run, struct fault *fault)
{
	static const int64_t none = 0;
	struct ellu_llm_config config = *run->load.ret_spec->config;

	if (is_test(run))
		config.max_retries = &none;
	return llm_target_new(&config, &run->target, fault);
}

static int render(struct call_run *run, struct fault *fault)
{
	const struct ellu_call_request *request = run->request;
	const struct ellu_prompt_template *template = run->load.ret_spec->prompt.template;
	json_object *values;
	int r;

	run->messages = request->messages;
	run->n_messages = request->n_messages;
	if (!template)
		return 0;
	run->n_messages = template->n_messages;
	values = json_tokener_parse(request->variables ? request->variables : "{}");
	if (!values)
		return fault_oom(fault);
	r = template_render_messages(template->messages, template->n_messages, values,
				     &run->base.arena, &run->messages, fault);
	json_object_put(values);
	return r;
}

/* An endpoint may serve several databases whose ids are alike. */
static void make_key(struct call_run *run)
{
	snprintf(run->asking.call.idempotency_key, sizeof(run->asking.call.idempotency_key),
		 "ellu-call-%" PRId64 "-%08" PRIx32, run->load.ret_spec->run_id,
		 run_messages_hash(run->messages, run->n_messages));
}

static void answered(struct run_call *asking);
static void failed(struct run_call *asking);

static void fill_call(struct call_run *run)
{
	const struct ellu_call_request *request = run->request;
	const struct run_spec *spec = run->load.ret_spec;
	const struct ellu_prompt_template *template = spec->prompt.template;
	struct llm_call *call = &run->asking.call;

	run_call_init(&run->asking, &run->base, &run->base.routes[0], run->target);
	run->asking.answered = answered;
	run->asking.failed = failed;
	run->asking.epoch = spec->epochs[0].epoch;
	call->messages = run->messages;
	call->n_messages = run->n_messages;
	call->params = spec->generation_params;
	call->tools = request->tools || !template ? request->tools : template->tools;
	call->n_tools = request->tools || !template ? request->n_tools : template->n_tools;
	call->tool_choice = request->tool_choice || !template ? request->tool_choice :
								template->tool_choice;
	call->response_format = request->response_format || !template ? request->response_format :
									template->response_format;
	make_key(run);
}

static int begin(struct call_run *run, struct fault *fault)
{
	const struct run_spec *spec = run->load.ret_spec;
	int r = read_request(run, fault);

	if (r < 0)
		return r;
	run_price(&run->base, spec->config);
	if (run_begin(&run->base, spec) < 0)
		return fault_oom(fault);
	r = make_target(run, fault);
	if (r >= 0)
		r = render(run, fault);
	if (r >= 0)
		r = llm_target_check(run->target, run->messages, run->n_messages, fault);
	if (r < 0)
		return r;
	fill_call(run);
	return 0;
}

static void on_loaded(struct store_request *request)
{
	struct call_run *run = container_of(request, struct call_run, load.request);
	struct fault fault = { 0 };

	if (run_take_answer(&run->base, request) && run->base.phase == RUN_LOADING &&
	    begin(run, &fault) < 0)
		run_fail(&run->base, &fault);
	run_go_on(&run->base);
}

static void start(struct run *base)
{
	struct call_run *run = (struct call_run *)base;

	run->load.task_id = base->task.task_id;
	run_expect(base, &run->load.request, on_loaded);
	store_run_load(base->host.store, &run->load);
}

static void tune(struct run *base)
{
	base->routes[0].cap = run_cap_of(base, ((struct call_run *)base)->load.ret_spec->config);
}

/* ---- Asking ---- */

static bool issue(struct run *base)
{
	struct call_run *run = (struct call_run *)base;

	if (run->result.model)
		return true;
	if (base->n_open == 0 && run_may_spend(base) && run_may_hold(base, RUN_ITEMS)) {
		base->n_open = 1;
		run->bytes = arena_size(&base->arena);
		run_weigh(base, RUN_ITEMS, 0, run->bytes);
		run_call_submit(&run->asking);
	}
	return false;
}

static void failed(struct run_call *asking)
{
	run_call_lost(asking);
	run_fail(asking->run, &asking->call.fault);
}

static const int64_t *known(struct arena *arena, int64_t value)
{
	return value < 0 ? NULL : arena_int(arena, value);
}

static void answered(struct run_call *asking)
{
	struct call_run *run = container_of(asking, struct call_run, asking);
	const struct llm_call *call = &asking->call;
	struct arena *arena = &run->base.arena;

	run->result = ELLU_RECORD(struct ellu_call_result);
	if (record_list_from_text(&ellu_tool_call_type, call->tool_calls, FROM_STORE, arena,
				  &run->result.tool_calls, &run->result.n_tool_calls) < 0) {
		run_fail_oom(&run->base);
		return;
	}
	run->result.text = call->text;
	run->result.finish_reason = call->finish_reason;
	run->result.attempts = call->attempts;
	run->result.duration_seconds = (double)call->duration_usec / USEC_PER_SEC;
	run->usage = ELLU_RECORD(struct ellu_usage);
	run->usage.input_tokens = known(arena, call->input_tokens);
	run->usage.output_tokens = known(arena, call->output_tokens);
	run->usage.reasoning_tokens = known(arena, call->reasoning_tokens);
	run->usage.cached_tokens = known(arena, call->cached_tokens);
	run->result.usage = &run->usage;
	run->result.cost = known(arena, call->cost_nanodollars);
	run->result.model = run->load.ret_spec->config->llm_model_name;
	run->test = ELLU_RECORD(struct ellu_test_result);
	run->test.model = run->result.model;
	run->test.latency_seconds = run->result.duration_seconds;
}

/* ---- The end ---- */

static void end(struct run *base)
{
	struct call_run *run = (struct call_run *)base;

	progress_add_response(&base->progress, run->spend.epoch, /* failed= */ false,
			      /* complete= */ true, /* n_ratings= */ 0);
	progress_add_usage(&base->progress, run->spend.input_tokens, run->spend.output_tokens,
			   run->spend.cost_nanodollars);
	run_changed(base);
	if (is_test(run))
		base->result.test = &run->test;
	else
		base->result.call = &run->result;
}

static void conclude(struct run *base)
{
	struct call_run *run = (struct call_run *)base;
	const struct llm_call *call = &run->asking.call;

	run_conclude(base, &run->spend.request);
	run->spend.run_id = run->load.ret_spec->run_id;
	run->spend.epoch = run->asking.epoch;
	run->spend.generated = true;
	run->spend.input_tokens = call->input_tokens;
	run->spend.output_tokens = call->output_tokens;
	run->spend.cost_nanodollars = call->cost_nanodollars;
	store_run_spend(base->host.store, &run->spend);
}

static void free_run(struct run *base)
{
	struct call_run *run = (struct call_run *)base;

	arena_done(&run->asking.call.arena);
	store_request_done(&run->spend.request);
	store_request_done(&run->load.request);
	if (run->target)
		llm_target_unref(run->target);
}

#define ASKS_ONCE                              \
	{                                       \
		.size = sizeof(struct call_run), \
		.free = free_run,               \
		.start = start,                 \
		.issue = issue,                 \
		.conclude = conclude,           \
		.end = end,                     \
		.tune = tune,                   \
	}

const struct job_kind call_kind = ASKS_ONCE;
const struct job_kind test_kind = ASKS_ONCE;
