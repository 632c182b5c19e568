/*
 * The answer of a case: which of the run's configs is asked, and what the tools that it calls bring, which is
 * recorded in the row. What earlier answers took counts in the record of the last.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/work/conversation/tool_round.h"
#include "daemon/work/experiment/batching.h"
#include "daemon/work/experiment/experiment_run.h"
#include "daemon/work/run/cache.h"
#include "proto/generated/interface.h"

static void on_answered(struct run_call *asking);
static void on_failed(struct run_call *asking);

static bool may_ask(const struct open_case *open_case)
{
	const struct run *run = &open_case->run->base;

	return run->phase == RUN_RUNNING && !run->over_budget;
}

/* ---- Asking ---- */

static void fill_call(struct open_case *open_case)
{
	const struct run_spec *spec = open_case->run->spec;
	const struct ellu_prompt_template *template = spec->prompt.template;
	struct llm_call *call = &open_case->asking.call;

	open_case->asking.answered = on_answered;
	open_case->asking.failed = on_failed;
	call->messages = open_case->messages;
	call->n_messages = open_case->n_messages;
	call->params = spec->generation_params;
	if (template) {
		call->tools = template->tools;
		call->n_tools = template->n_tools;
		call->tool_choice = template->tool_choice;
		call->response_format = template->response_format;
	}
}

/* The same on each retry and in each run of the daemon, and another one in another round, and for
 * another content: an endpoint may serve several databases whose ids are alike. */
static void make_key(struct open_case *open_case)
{
	struct llm_call *call = &open_case->asking.call;

	snprintf(call->idempotency_key, sizeof(call->idempotency_key),
		 "ellu-%" PRId64 "-%" PRId64 "-%" PRId64 "-g%" PRId64 "-%zu-%08" PRIx32,
		 open_case->run->spec->run_id, open_case->row_id, open_case->epoch,
		 open_case->run->spec->round, open_case->chain.at,
		 run_messages_hash(call->messages, call->n_messages));
}

/* Of the only one, or where all before it were of no use to any item, trouble is the run's. */
static void ask(struct open_case *open_case)
{
	const struct model *model = chain_model(&open_case->chain);
	struct run_call *asking = &open_case->asking;

	run_call_init(asking, &open_case->run->base, model->route, model->target);
	asking->own_trouble = open_case->chain.reached || chain_has_more(&open_case->chain);
	make_key(open_case);
	cache_ask(asking, model->identity);
}

/* The next, who can be shown the messages. The fault says why the one before cannot answer. */
static bool go_on(struct open_case *open_case)
{
	char name[CASE_NAME_SIZE], what[CASE_NAME_SIZE + 2];

	snprintf(what, sizeof(what), "%s: ", case_name(open_case, name));
	return open_case->chain.n > 1 && chain_go_on(&open_case->chain, &open_case->asking, what);
}

/* Nobody can answer, this case or any other. */
static bool is_hopeless(const struct open_case *open_case)
{
	const struct answerers *answerers = &open_case->run->answerers;

	return answerers->n > 1 && !model_first(answerers->items, NULL, answerers->n, 0);
}

void case_ask(struct open_case *open_case)
{
	struct experiment_run *run = open_case->run;
	struct llm_call *call = &open_case->asking.call;
	const struct model *model;
	struct fault fault = { 0 };

	open_case->chain = (struct chain){ .models = run->answerers.items, .n = run->answerers.n };
	fill_call(open_case);
	model = chain_begin(&open_case->chain, &fault);
	if (!model) {
		run_fail(&run->base, &fault);
		return;
	}
	if (llm_target_check(model->target, call->messages, call->n_messages, &call->fault) < 0) {
		call->outcome = LLM_ITEM_FAILED;
		case_set_no_usage(open_case);
		if (!go_on(open_case)) {
			case_fail(open_case, &call->fault);
			return;
		}
	}
	if (run->batching)
		batching_add(run->batching, open_case);
	else
		ask(open_case);
}

/* What it took was for nothing, and is recorded as that; its attempts count. */
static void settle(struct open_case *open_case)
{
	struct run_call *asking = &open_case->asking;
	struct run_total *total = &open_case->before;
	int64_t attempts = total->attempts + asking->call.attempts;

	run_call_lost(asking);
	asking->again = false;
	*total = RUN_TOTAL_NONE;
	total->attempts = attempts;
	arena_done(&asking->call.arena);
}

static void on_failed(struct run_call *asking)
{
	struct open_case *open_case = container_of(asking, struct open_case, asking);

	if (!go_on(open_case) && is_hopeless(open_case)) {
		run_call_lost(asking);
		run_fail(asking->run, &asking->call.fault);
	} else if (!chain_model(&open_case->chain) || open_case->chain.n == 1) {
		case_fail(open_case, &asking->call.fault);
	} else {
		settle(open_case);
		if (may_ask(open_case))
			ask(open_case); // or it stays missing
	}
}

/* ---- Tools ---- */

static bool wants_tools(const struct open_case *open_case)
{
	const struct run_spec *spec = open_case->run->spec;

	return spec->tool_results && open_case->asking.call.tool_calls && open_case->n_rounds < spec->tool_rounds;
}

static int not_recorded(const struct open_case *open_case, const struct ellu_tool_call *call, struct fault *fault)
{
	const char *column = open_case->run->spec->tool_results;

	fault_not_found(fault, "tool_result", call->name, 0);
	snprintf(fault->message, sizeof(fault->message), "row %" PRId64 ": its column '%.200s' has no result of the "
		 "tool '%.200s' called with %.400s%s", open_case->row_number, column, call->name, call->arguments,
		 tool_call_is_readable(call) ? "" : " (which is no JSON object)");
	return fault->code;
}

/* The row's results, of which each is given once. */
static int read_results(struct open_case *open_case, struct fault *fault)
{
	const char *column = open_case->run->spec->tool_results;
	int r;

	if (open_case->n_rounds > 0)
		return 0;
	r = tool_results_init(&open_case->tools, json_object_object_get(open_case->values, column), column,
			      case_memory(open_case), fault);
	if (r == ELLU_E_INVALID_PARAMETER)
		snprintf(fault->message, sizeof(fault->message), "row %" PRId64 ": its column '%.200s' holds no %s",
			 open_case->row_number, column, fault->expected);
	return r;
}

static int answer_calls(struct open_case *open_case, struct tool_round *round, struct fault *fault)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < round->n; i++) {
		const struct ellu_tool_call *call = round->tool_calls[i];
		const char *content;

		r = tool_results_take(&open_case->tools, call, case_memory(open_case), &content);
		if (r == 0)
			return not_recorded(open_case, call, fault);
		if (r > 0)
			r = tool_round_take(round, call->id, content, case_memory(open_case));
	}
	return r < 0 ? fault_oom(fault) : tool_round_check_size(round, fault);
}

/* As they are compared, one after the other. */
static void count_steps(struct open_case *open_case)
{
	run_took(&open_case->run->base, open_case->tools.steps);
	open_case->tools.steps = 0;
}

/* The model's calls, and what they brought, behind the messages. What failed leaves the calls there. */
static int begin_round(struct open_case *open_case, struct fault *fault)
{
	struct llm_call *call = &open_case->asking.call;
	const struct ellu_tool_call *const *calls;
	struct tool_round round;
	size_t n;
	int r = read_results(open_case, fault);

	if (r < 0)
		return r;
	if (record_list_from_text(&ellu_tool_call_type, call->tool_calls, FROM_STORE, case_memory(open_case),
				  &calls, &n) < 0 ||
	    tool_round_begin(call->messages, call->n_messages, call->text, calls, n, case_memory(open_case),
			     &round) < 0)
		return fault_oom(fault);
	r = answer_calls(open_case, &round, fault);
	count_steps(open_case);
	open_case->messages = round.messages;
	open_case->n_messages = r < 0 ? call->n_messages + 1 : round.n_messages;
	open_case->n_rounds++;
	return r;
}

/* What it took counts with the next answer. */
static void add_usage(struct open_case *open_case)
{
	struct run_call *asking = &open_case->asking;
	struct run_total *before = &open_case->before;

	run_total_add(before, &asking->call);
	open_case->asked |= !asking->cached;
	asking->again = true;
	asking->input_tokens = before->input_tokens;
	asking->output_tokens = before->output_tokens;
	asking->cached_tokens = before->cached_tokens;
	asking->cost_nanodollars = before->cost_nanodollars;
}

static void ask_on(struct open_case *open_case)
{
	struct run_call *asking = &open_case->asking;
	struct fault fault = { 0 };
	int r = begin_round(open_case, &fault);

	if (r < 0) {
		asking->call.fault = fault; // outlives the record
		if (fault.code == ELLU_E_INTERNAL)
			run_fail(asking->run, &fault);
		else
			case_fail(open_case, &asking->call.fault);
		return;
	}
	add_usage(open_case);
	arena_done(&asking->call.arena);
	asking->call.messages = open_case->messages;
	asking->call.n_messages = open_case->n_messages;
	case_weigh(open_case);
	ask(open_case);
}

static void on_answered(struct run_call *asking)
{
	struct open_case *open_case = container_of(asking, struct open_case, asking);

	cache_keep_answer(asking);
	if (!wants_tools(open_case))
		case_take_answer(open_case);
	else if (may_ask(open_case))
		ask_on(open_case);
	else
		run_call_lost(asking); // it stays missing
}
