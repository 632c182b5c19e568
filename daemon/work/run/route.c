#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/hash.h"
#include "daemon/base/log.h"
#include "daemon/work/run/run.h"
#include "proto/usage.h"

/* ---- Room ---- */

/* What waits in the backend is issued at once where another call ends: under a limit of cost nothing
 * does, for it to be held against what that call came to. */
bool route_has_room(const struct run *run, const struct route *route)
{
	if (run_is_limited(run) && (route->handed >= route->cap || run->pending_cost >= run_money_left(run)))
		return false;
	return route->uncommitted < route->cap &&
	       route->handed + route->uncommitted < 2 * route->cap;
}

/* ---- Calls ---- */

/* The endpoint is there, so what could not reach it failed for its own. */
static void route_reached(struct route *route)
{
	route->reached = true;
	while (route->held) {
		struct run_call *call = route->held;

		route->held = call->next;
		route->n_held--;
		call->failed(call);
	}
}

/* Recorded as failed now, the first items of an endpoint that is down would never be asked
 * again; so they wait for what becomes of the others. */
static void route_hold(struct route *route, struct run_call *call)
{
	call->next = route->held;
	route->held = call;
	route->n_held++;
	if (route->n_held >= RUN_UNREACHABLE_MAX)
		run_fail(call->run, &call->call.fault);
}

/* ---- What they may cost ---- */

void run_call_hold(struct run_call *call)
{
	struct run *run = call->run;
	const struct route *route = call->route;

	if (call->estimate > 0 || !run_is_limited(run))
		return;
	call->estimate = route->n_priced ? route->priced_cost / route->n_priced : llm_call_estimate(&call->call);
	run->pending_cost += call->estimate;
}

void run_call_let_go(struct run_call *call)
{
	call->run->pending_cost -= call->estimate;
	call->estimate = 0;
}

/* ---- What is lost ---- */

struct lost {
	struct run_spend op;
	struct run *run;
	int64_t unrecorded;
};

static void run_succeeded(struct run *run, int64_t unrecorded, const struct spent *spent)
{
	run->pending_cost -= unrecorded;
	if (spent && spent->calls)
		run->today = spent->ret_today;
}

void run_call_recorded(struct run_call *call, const struct spent *spent)
{
	run_succeeded(call->run, call->unrecorded, spent);
	call->unrecorded = 0;
}

static void on_lost(struct store_request *request)
{
	struct lost *lost = container_of(request, struct lost, op.request);
	struct run *run = lost->run;

	run_succeeded(run, lost->unrecorded, &lost->op.spent);
	if (run_take_answer(run, request))
		progress_add_usage(&run->progress, lost->op.input_tokens, lost->op.output_tokens,
				   lost->op.cost_nanodollars);
	store_request_done(request);
	free(lost);
	run_changed(run);
	run_go_on(run);
}

int run_target_new(const struct ellu_llm_config *config, const struct taken_today *taken,
		   struct llm_target **ret_target, struct fault *fault)
{
	int r = llm_target_new(config, ret_target, fault);

	if (r >= 0)
		llm_target_resume(*ret_target, taken->day, taken->requests, taken->tokens);
	return r;
}

struct spend_source run_source(const struct run *run, const struct llm_target *target)
{
	struct spend_source source = { .owner_uid = run->task.owner_uid, .project_id = run->project_id };

	if (target)
		source.llm_config_id = llm_target_config(target, &source.model);
	return source;
}

/* For lack of memory it is not counted. */
void run_call_lost(struct run_call *call)
{
	struct run *run = call->run;
	const struct llm_call *spent = &call->call;
	struct run_spend op = {
		.run_id = run->id,
		.epoch = call->epoch,
		.input_tokens = spent->input_tokens,
		.output_tokens = spent->output_tokens,
		.cached_tokens = spent->cached_tokens,
		.cost_nanodollars = spent->cost_nanodollars,
		.spent.source = run_source(run, call->cached && !call->again ? NULL : spent->target),
	};
	struct lost *lost;

	if (call->again) {
		usage_add(&op.input_tokens, call->input_tokens);
		usage_add(&op.output_tokens, call->output_tokens);
		usage_add(&op.cached_tokens, call->cached_tokens);
		usage_add(&op.cost_nanodollars, call->cost_nanodollars);
	}
	lost = op.input_tokens > 0 || op.output_tokens > 0 || op.cost_nanodollars > 0 ?
		       calloc(1, sizeof(*lost)) : NULL;
	if (!lost) {
		run_call_recorded(call, NULL);
		return;
	}
	lost->op = op;
	lost->run = run;
	lost->unrecorded = call->unrecorded;
	call->unrecorded = 0;
	run_expect(run, &lost->op.request, on_lost);
	store_run_spend(run->host.store, &lost->op);
}

/* ---- What came back ---- */

static void take_outcome(struct run_call *call)
{
	struct run *run = call->run;
	struct route *route = call->route;

	switch (call->call.outcome) {
	case LLM_ANSWERED:
		route_reached(route);
		call->answered(call);
		break;
	case LLM_ITEM_FAILED:
		route_reached(route);
		call->failed(call);
		break;
	case LLM_UNREACHABLE:
		if (route->reached || call->own_trouble)
			call->failed(call);
		else
			route_hold(route, call);
		break;
	case LLM_CONFIG_FAILED:
		if (call->own_trouble) {
			call->failed(call);
			break;
		}
		run_call_lost(call);
		run_fail(run, &call->call.fault);
		break;
	case LLM_CANCELLED:
		run_call_lost(call);
		run_stop(run, false);
		break;
	}
}

void run_call_take_cost(struct run_call *call)
{
	int64_t cost = call->call.cost_nanodollars;

	run_call_let_go(call);
	if (cost < 0)
		return;
	call->run->pending_cost += cost;
	call->unrecorded += cost;
	call->route->n_priced++;
	call->route->priced_cost += cost;
}

static void on_done(struct llm_call *done)
{
	struct run_call *call = container_of(done, struct run_call, call);
	struct run *run = call->run;

	run->n_outstanding--;
	call->route->handed--;
	run_call_take_cost(call);
	take_outcome(call);
	run_go_on(run);
}

void run_call_init(struct run_call *call, struct run *run, struct route *route,
		   struct llm_target *target)
{
	call->run = run;
	call->route = route;
	call->call.target = target;
}

void run_call_submit(struct run_call *call)
{
	struct run *run = call->run;

	run_call_hold(call);
	call->route->handed++;
	run->n_outstanding++;
	backend_submit(call->run->flow, &call->call);
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	return text ? hash_bytes(hash, text, strlen(text)) : hash;
}

static uint64_t hash_media(uint64_t hash, const struct ellu_media *media)
{
	return media ? hash_text(hash_text(hash, media->data), media->url) : hash;
}

uint32_t run_messages_hash(const struct ellu_message *const *messages, size_t n_messages)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < n_messages; i++) {
		hash = hash_text(hash, messages[i]->content);
		for (size_t k = 0; k < messages[i]->n_parts; k++) {
			const struct ellu_message_part *part = messages[i]->parts[k];

			hash = hash_text(hash, part->text);
			hash = hash_media(hash_media(hash, part->image), part->document);
		}
	}
	return (uint32_t)hash;
}

/* ---- What answers took ---- */

void run_total_add(struct run_total *total, const struct llm_call *call)
{
	usage_add(&total->input_tokens, call->input_tokens);
	usage_add(&total->output_tokens, call->output_tokens);
	usage_add(&total->reasoning_tokens, call->reasoning_tokens);
	usage_add(&total->cached_tokens, call->cached_tokens);
	usage_add(&total->cost_nanodollars, call->cost_nanodollars);
	total->attempts += call->attempts;
	total->duration_usec += call->duration_usec;
}

static const int64_t *known(struct arena *arena, int64_t value)
{
	return value < 0 ? NULL : arena_int(arena, value);
}

const struct ellu_usage *run_total_usage(const struct run_total *total, struct arena *arena,
					 const int64_t **ret_cost)
{
	struct ellu_usage *usage = arena_alloc(arena, sizeof(*usage));

	if (!usage)
		return NULL;
	*usage = ELLU_RECORD(struct ellu_usage);
	usage->input_tokens = known(arena, total->input_tokens);
	usage->output_tokens = known(arena, total->output_tokens);
	usage->reasoning_tokens = known(arena, total->reasoning_tokens);
	usage->cached_tokens = known(arena, total->cached_tokens);
	*ret_cost = known(arena, total->cost_nanodollars);
	return usage;
}

/* ---- Caps ---- */

int run_cap_of(const struct run *run, const struct ellu_llm_config *config)
{
	int cap = config && config->max_connections ? (int)*config->max_connections
						    : BACKEND_CONNECTIONS_GROWN;

	return run->flow_connections > 0 && run->flow_connections < cap ? run->flow_connections : cap;
}

/* ---- The flow ---- */

static void on_notice(void *userdata, const char *line)
{
	struct run *run = userdata;

	run_log_notice(&run->log, line, clock_monotonic_usec());
}

static void on_held(void *userdata, bool held, const char *line)
{
	struct run *run = userdata;

	run->held_up = held;
	/* What is being ended leaves no waits behind to be told of. */
	if (run->phase == RUN_RUNNING)
		run_log_notice(&run->log, line, clock_monotonic_usec());
	run_changed(run);
}

static int open_flow(struct run *run)
{
	const struct backend_flow_options options = {
		.user = run->task.owner_uid,
		.priority = run->task.tuning.priority,
		.cap = run->flow_connections,
		.reply_to = run->host.loop,
		.done = on_done,
		.notice = on_notice,
		.held = on_held,
		.userdata = run,
	};

	return backend_flow_open(run->host.backend, &options, &run->flow);
}

/* What is asked for and not sent is said. */
static void note_ignored(struct run *run, const struct run_spec *spec)
{
	if (!spec->config || !spec->generation_params)
		return;
	run->n_ignored = llm_config_unsent(spec->config, &ellu_generation_params_type,
					   spec->generation_params, run->ignored);
	for (size_t i = 0; i < run->n_ignored; i++)
		run_log_line(&run->log, "%s is not sent: the provider %s has none", run->ignored[i],
			     spec->config->provider);
}

int run_begin(struct run *run, struct fault *fault)
{
	const struct run_spec *spec = run->spec;

	if (progress_init(&run->progress, spec, clock_monotonic_usec()) < 0)
		return fault_oom(fault);
	run->id = spec->run_id;
	run->project_id = spec->project_id;
	run->today = spec->today;
	run_describe_cost(run);
	note_ignored(run, spec);
	run->kind->tune(run);
	if (open_flow(run) < 0)
		return fault_oom(fault);
	run->phase = RUN_RUNNING;
	run_changed(run);
	return 0;
}

/* What it was tuned to holds for what is issued from then on, and for what still waits in the
 * backend. */
void run_tune(struct run *run, const struct work_tuning *tuning)
{
	bool limited = run->task.tuning.cost_limit >= 0;

	run->task.tuning = *tuning;
	if (run->phase == RUN_LOADING || run->phase == RUN_ENDED || !run->flow)
		return; // it is applied when it is loaded
	run->kind->tune(run);
	if (!limited)
		run_describe_cost(run);
	if (backend_flow_tune(run->flow, tuning->priority, run->flow_connections) < 0)
		log_warning("Task %" PRId64 ": its waiting calls cannot be tuned, only later ones",
			    run->task.task_id);
	run_go_on(run);
}
