/*
 * How much a run may do at once, before whom, and at what cost. What it was tuned to while it
 * runs holds for what is issued from then on, and for what still waits in the backend.
 */
#include <inttypes.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/work/run_state.h"
#include "proto/money.h"

/* ---- Caps ---- */

static int lower(int cap, int other)
{
	return other > 0 && (cap == 0 || other < cap) ? other : cap;
}

static int cap_of(const struct ellu_llm_config *config, int flow_connections)
{
	int cap = config && config->max_connections ? (int)*config->max_connections
						    : BACKEND_CONNECTIONS_GROWN;

	return lower(cap, flow_connections);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_endpoint(const struct ellu_llm_config *a, const struct ellu_llm_config *b)
{
	return a && b && same_text(a->provider, b->provider) &&
	       same_text(a->llm_base_url, b->llm_base_url) &&
	       same_text(a->llm_model_name, b->llm_model_name) &&
	       same_text(a->api_key, b->api_key);
}

void tuning_apply(struct experiment_run *run)
{
	const struct ellu_generation_params *params = run->spec->generation_params;
	const struct ellu_llm_config *config = run->spec->config;
	const struct ellu_llm_config *judge = run->spec->judge_config;
	bool shared = same_endpoint(config, judge);
	int caps[2], cap;

	run->flow_connections = lower(run->task.tuning.max_connections,
				      params && params->max_connections ?
					      (int)*params->max_connections : 0);
	caps[0] = cap_of(config, run->flow_connections);
	caps[1] = cap_of(judge, run->flow_connections);
	cap = caps[0] > caps[1] ? caps[0] : caps[1];
	run->lanes[0].cap = shared ? cap : caps[0];
	run->lanes[1].cap = caps[1];
	run->generating = &run->lanes[0];
	run->judging_lane = &run->lanes[shared ? 0 : 1];
	run->window = 2 * cap + 16;
}

/* ---- Cost ---- */

static bool has_price(const struct ellu_llm_config *config)
{
	return config && config->price_input && config->price_output;
}

static bool knows_cost(const struct experiment_run *run)
{
	return has_price(run->spec->config) || has_price(run->spec->judge_config) ||
	       run->progress.cost_nanodollars >= 0;
}

static int64_t spent(const struct experiment_run *run)
{
	return run->progress.cost_nanodollars < 0 ? 0 : run->progress.cost_nanodollars;
}

bool tuning_allows(struct experiment_run *run)
{
	int64_t limit = run->task.tuning.cost_limit;

	if (!run->over_budget && limit >= 0 && spent(run) >= limit && knows_cost(run)) {
		run->over_budget = true;
		run_drain_calls(run);
	}
	return !run->over_budget;
}

void tuning_log_spent(struct experiment_run *run)
{
	char cost[MONEY_TEXT_SIZE], limit[MONEY_TEXT_SIZE];

	money_format(spent(run), cost);
	money_format(run->task.tuning.cost_limit, limit);
	run_log_line(&run->log, "$%s were spent, the cost_limit is $%s: nothing more is asked for",
		     cost, limit);
}

static void describe_cost(struct experiment_run *run)
{
	if (run->task.tuning.cost_limit >= 0 && !knows_cost(run))
		run_log_line(&run->log, "cost_limit has no effect: no price of what is asked is known");
}

/* ---- Both ---- */

void tuning_describe(struct experiment_run *run)
{
	const struct ellu_generation_params *params = run->spec->generation_params;
	const struct ellu_llm_config *config = run->spec->config;

	if (params && params->max_connections && config && config->max_connections &&
	    *config->max_connections < *params->max_connections)
		run_log_line(&run->log,
			     "max_connections %" PRId64 " is lowered to %" PRId64 ", the cap of '%s'",
			     *params->max_connections, *config->max_connections, config->name);
	describe_cost(run);
}

void experiment_run_tune(struct experiment_run *run, const struct work_tuning *tuning)
{
	bool limited = run->task.tuning.cost_limit >= 0;

	run->task.tuning = *tuning;
	if (!run->spec || run->phase == RUN_ENDED)
		return; // it is applied when it is loaded
	tuning_apply(run);
	if (!limited)
		describe_cost(run);
	if (backend_tune_flow(run->host.backend, run->task.task_id, tuning->priority,
			      run->flow_connections) < 0)
		log_warning("Task %" PRId64 ": its waiting calls cannot be tuned, only later ones",
			    run->task.task_id);
	window_pump(run);
}
