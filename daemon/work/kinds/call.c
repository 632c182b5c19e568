/*
 * The kinds `call` and `test`: one chat completion. The one item of a call stands in the request,
 * that of a test is always the same; the answer, or that there was one, is the task's result, and
 * nothing else is recorded of it. An answer that does not fit its response_format is asked for once
 * more; one that calls tools is followed by what they brought, which somebody else finds out: until
 * then the run has nothing outstanding, and a timer.
 */
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <json.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/store/runs.h"
#include "daemon/work/conversation/structured.h"
#include "daemon/work/conversation/tool_round.h"
#include "daemon/work/run/cache.h"
#include "daemon/work/run/chain.h"
#include "proto/content/template.h"
#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/usage.h"

struct call_run {
	struct run base;
	const struct ellu_call_request *request; // NULL until loaded
	const struct ellu_message *const *messages;
	size_t n_messages;
	struct ellu_llm_config own; // its config, as it is asked
	struct answerers answerers;
	struct chain chain; // of them
	struct run_call asking;
	size_t bytes; // of RUN_ITEMS
	struct run_spend spend; // of the last answer; what came before is recorded already
	struct run_total total; // what all answers took
	bool asked_again;
	int64_t n_rounds; // with tools
	struct tool_round round; // the one that is waited for, while `n_left`
	struct event *tool_timer; // NULL: it never waited
	bool complete; // nothing is to be asked any more
	struct ellu_call_result result; // of the last answer
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
	const char *text = run->base.spec->request;
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
static int begin_chain(struct call_run *run, struct fault *fault)
{
	static const int64_t none = 0;
	int r;

	run->own = *run->base.spec->config;
	if (is_test(run))
		run->own.max_retries = &none;
	r = answerers_init(&run->answerers, &run->base, run->base.spec, &run->own, fault);
	run->chain = (struct chain){ .models = run->answerers.items, .n = run->answerers.n };
	return r;
}

static int render(struct call_run *run, struct fault *fault)
{
	const struct ellu_call_request *request = run->request;
	const struct ellu_prompt_template *template = run->base.spec->prompt.template;
	json_object *values;
	int r;

	run->messages = request->messages;
	run->n_messages = request->n_messages;
	if (!template)
		return 0;
	run->n_messages = template->n_messages;
	values = json_stored(request->variables ? request->variables : "{}");
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
	struct llm_call *call = &run->asking.call;

	snprintf(call->idempotency_key, sizeof(call->idempotency_key), "ellu-call-%" PRId64 "-%zu-%08" PRIx32,
		 run->base.spec->run_id, run->chain.at,
		 run_messages_hash(call->messages, call->n_messages));
}

static void answered(struct run_call *asking);
static void failed(struct run_call *asking);

static void fill_call(struct call_run *run)
{
	const struct ellu_call_request *request = run->request;
	const struct run_spec *spec = run->base.spec;
	const struct ellu_prompt_template *template = spec->prompt.template;
	struct llm_call *call = &run->asking.call;

	run_call_init(&run->asking, &run->base, chain_model(&run->chain)->route, chain_model(&run->chain)->target);
	run->asking.answered = answered;
	run->asking.failed = failed;
	run->asking.epoch = spec->epochs[0].epoch;
	run->asking.own_trouble = spec->n_fallbacks > 0;
	call->stream = run->base.task.stream;
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

/* The first who can be shown the messages. */
static int choose(struct call_run *run, struct fault *fault)
{
	struct run_call *asking = &run->asking;
	const struct model *model;
	int r = llm_target_check(asking->call.target, run->messages, run->n_messages, fault);

	if (r >= 0)
		return 0;
	asking->call.outcome = LLM_ITEM_FAILED;
	asking->call.fault = *fault;
	model = chain_go_on(&run->chain, asking, "");
	if (!model)
		return r;
	asking->route = model->route;
	asking->call.target = model->target;
	make_key(run);
	return 0;
}

static int begin(struct run *base, struct fault *fault)
{
	struct call_run *run = (struct call_run *)base;
	int r;

	run->total = RUN_TOTAL_NONE;
	r = read_request(run, fault);
	if (r < 0)
		return r;
	r = begin_chain(run, fault);
	if (run_begin(&run->base, fault) < 0)
		return fault->code;
	if (r >= 0)
		r = render(run, fault);
	if (r < 0)
		return r;
	fill_call(run);
	return choose(run, fault);
}

static void tune(struct run *base)
{
	struct call_run *run = (struct call_run *)base;

	answerers_tune(&run->answerers, base);
}

/* ---- Asking ---- */

static void weigh(struct call_run *run)
{
	size_t bytes = arena_size(&run->base.arena);

	run_weigh(&run->base, RUN_ITEMS, run->bytes, bytes);
	run->bytes = bytes;
}

static bool issue(struct run *base)
{
	struct call_run *run = (struct call_run *)base;

	if (run->complete)
		return true;
	/* What an answer took counts before another is asked for. */
	if (base->n_open == 0 && base->n_outstanding == 0 && run_may_spend(base) &&
	    run_may_hold(base, RUN_ITEMS)) {
		base->n_open = 1;
		weigh(run);
		cache_ask(&run->asking, chain_model(&run->chain)->identity);
	}
	return false;
}

static const int yes = 1;

static int take_result(struct call_run *run)
{
	const struct llm_call *call = &run->asking.call;
	struct arena *arena = &run->base.arena;

	run_total_add(&run->total, call);
	run->result = ELLU_RECORD(struct ellu_call_result);
	if (record_list_from_text(&ellu_tool_call_type, call->tool_calls, FROM_STORE, arena,
				  &run->result.tool_calls, &run->result.n_tool_calls) < 0)
		return -ENOMEM;
	run->result.text = call->text;
	run->result.cached = run->asking.cached ? &yes : NULL;
	run->result.finish_reason = call->finish_reason;
	run->result.attempts = run->total.attempts;
	run->result.duration_seconds = (double)run->total.duration_usec / USEC_PER_SEC;
	run->result.usage = run_total_usage(&run->total, arena, &run->result.cost);
	if (!run->result.usage)
		return -ENOMEM;
	run->result.model = chain_model(&run->chain)->config->llm_model_name;
	run->result.llm_config = run->chain.n > 1 ? chain_model(&run->chain)->config->name : NULL;
	run->test = ELLU_RECORD(struct ellu_test_result);
	run->test.model = run->result.model;
	run->test.latency_seconds = run->result.duration_seconds;
	return 0;
}

/* Another answer will follow: what this one took is recorded, and nothing of it kept. */
static void settle(struct call_run *run)
{
	run_call_lost(&run->asking);
	arena_done(&run->asking.call.arena);
	weigh(run);
}

/* The call's messages are asked with, once the answer before is settled. */
static void ask_on(struct call_run *run)
{
	make_key(run);
	weigh(run);
	run->base.n_open = 0;
}

/* ---- Others, where one cannot answer ---- */

static void failed(struct run_call *asking)
{
	struct call_run *run = container_of(asking, struct call_run, asking);
	bool may_go_on = run->base.phase == RUN_RUNNING && !llm_stream_is_bound(asking->call.stream);
	const struct model *next = may_go_on ? chain_go_on(&run->chain, asking, "") : NULL;

	run_total_add(&run->total, &asking->call);
	if (!next) {
		run_call_lost(asking);
		run_fail(asking->run, &asking->call.fault);
		return;
	}
	settle(run);
	asking->route = next->route;
	asking->call.target = next->target;
	ask_on(run);
}

/* ---- An answer of a form ---- */

/* What was cut short would be so again, and who refuses does not for want of being asked. */
static bool may_ask_again(const struct call_run *run)
{
	const char *reason = run->asking.call.finish_reason;

	return !run->asked_again && run->base.phase == RUN_RUNNING &&
	       (!reason || strcmp(reason, "stop") == 0);
}

static int ask_again(struct call_run *run, const struct schema_problem *problem)
{
	struct llm_call *call = &run->asking.call;
	int r = structured_ask_again(call->messages, call->n_messages, call->response_format,
				     call->text ? call->text : "", problem, &run->base.arena,
				     &call->messages, &call->n_messages);

	if (r < 0)
		return r;
	run_log_line(&run->base.log, "the answer does not fit response_format, asked once more: %s",
		     problem->text);
	run->asked_again = true;
	settle(run);
	ask_on(run);
	return 0;
}

/* The task has the text for its result all the same. */
static void fail_structured(struct call_run *run, const struct schema_problem *problem)
{
	struct llm_call *call = &run->asking.call;
	bool cut = call->finish_reason && strcmp(call->finish_reason, "length") == 0;

	fault_set(&call->fault, ELLU_E_BACKEND_REJECTED, "the answer does not fit response_format%s: %s%s",
		  run->asked_again ? ", asked twice" : "", problem->text,
		  cut ? "; it was cut at the limit of its tokens" : "");
	call->fault.status = 200;
	run_call_lost(&run->asking);
	if (run->base.phase == RUN_RUNNING) {
		run->base.result = ELLU_RECORD(struct ellu_task_result);
		run->base.result.call = &run->result;
		run->base.end.result = &run->base.result;
	}
	run_fail(&run->base, &call->fault);
}

/* ---- Tools ---- */

static void on_tool_timeout(evutil_socket_t fd, short events, void *userdata)
{
	struct call_run *run = userdata;
	struct fault fault = { 0 };
	size_t i = 0;

	(void)fd;
	(void)events;
	while (i + 1 < run->round.n && run->round.results[i].content)
		i++;
	fault_set(&fault, ELLU_E_TIMEOUT, "nobody sent a result of the tool call '%.200s' (%.200s) within %g seconds",
		  run->round.tool_calls[i]->id, run->round.tool_calls[i]->name, run->request->tool_timeout_seconds);
	run_fail(&run->base, &fault);
	run_go_on(&run->base);
}

static int start_tool_timer(struct call_run *run)
{
	const double seconds = run->request->tool_timeout_seconds;
	const struct timeval timeout = { .tv_sec = (time_t)seconds,
					 .tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * USEC_PER_SEC) };

	if (!run->tool_timer)
		run->tool_timer = evtimer_new(loop_base(run->base.host.loop), on_tool_timeout, run);
	return run->tool_timer && evtimer_add(run->tool_timer, &timeout) == 0 ? 0 : -ENOMEM;
}

static bool wants_tools(const struct call_run *run)
{
	const int64_t *rounds = run->request->tool_rounds;

	return rounds && run->result.n_tool_calls > 0 && run->n_rounds < *rounds &&
	       run->base.phase == RUN_RUNNING;
}

/* The answer's calls of tools go to who follows the task. */
static int wait_for_tools(struct call_run *run)
{
	struct llm_call *call = &run->asking.call;
	int r = tool_round_begin(call->messages, call->n_messages, run->result.text, run->result.tool_calls,
				 run->result.n_tool_calls, &run->base.arena, &run->round);

	if (r >= 0)
		r = start_tool_timer(run);
	if (r >= 0)
		r = run_wait_for_tools(&run->base, run->round.tool_calls, run->round.n);
	if (r < 0)
		return r;
	run->n_rounds++;
	settle(run);
	return 0;
}

/* The model is told what its tools brought. */
static void end_round(struct call_run *run)
{
	struct llm_call *call = &run->asking.call;
	struct fault fault = { 0 };

	evtimer_del(run->tool_timer);
	if (tool_round_check_size(&run->round, &fault) < 0) {
		run_fail(&run->base, &fault);
		return;
	}
	call->messages = run->round.messages;
	call->n_messages = run->round.n_messages;
	ask_on(run);
}

static void take_tool_result(struct run *base, const char *tool_call_id, const char *content)
{
	struct call_run *run = (struct call_run *)base;
	int r = tool_round_take(&run->round, tool_call_id, content, &base->arena);

	if (r < 0)
		run_fail_oom(base);
	else if (r > 0 && run->round.n_left == 0)
		end_round(run);
}

/* 1: it fits, or need not; 0: it does not, and what follows from that is done. */
static int take_structured(struct call_run *run)
{
	struct llm_call *call = &run->asking.call;
	struct schema_problem problem;
	int r;

	if (!call->response_format || call->tool_calls)
		return 1;
	r = structured_check(call->response_format, call->text, &run->base.arena, &run->result.text, &problem);
	if (r != 0)
		return r;
	if (may_ask_again(run))
		return ask_again(run, &problem);
	fail_structured(run, &problem);
	return 0;
}

static void answered(struct run_call *asking)
{
	struct call_run *run = container_of(asking, struct call_run, asking);
	int r = take_result(run);

	if (r >= 0 && wants_tools(run)) {
		cache_keep_answer(asking);
		r = wait_for_tools(run);
	} else if (r >= 0) {
		r = take_structured(run);
		if (r > 0)
			cache_keep_answer(asking);
	}
	if (r < 0)
		run_fail_oom(&run->base);
	run->complete = r > 0;
}

/* ---- The end ---- */

static void end(struct run *base)
{
	struct call_run *run = (struct call_run *)base;

	run_item_done(base, &run->spend);
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
	run_item_spend(base, &run->spend);
	run->spend.input_tokens = call->input_tokens;
	run->spend.output_tokens = call->output_tokens;
	run->spend.cached_tokens = call->cached_tokens;
	if (!run->asking.cached)
		run->spend.spent.source = run_source(base, call->target);
	run->spend.cost_nanodollars = call->cost_nanodollars;
	store_run_spend(base->host.store, &run->spend);
}

static void free_run(struct run *base)
{
	struct call_run *run = (struct call_run *)base;

	arena_done(&run->asking.call.arena);
	store_request_done(&run->spend.request);
	if (run->tool_timer)
		event_free(run->tool_timer);
	answerers_done(&run->answerers);
}

#define ASKS_ONCE                                \
	{                                         \
		.size = sizeof(struct call_run),   \
		.free = free_run,                 \
		.begin = begin,                   \
		.issue = issue,                   \
		.conclude = conclude,             \
		.end = end,                       \
		.tune = tune,                     \
		.tool_result = take_tool_result,  \
	}

const struct job_kind call_kind = ASKS_ONCE;
const struct job_kind test_kind = ASKS_ONCE;
