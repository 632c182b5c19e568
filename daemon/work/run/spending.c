#include <inttypes.h>

#include "daemon/base/clock.h"
#include "daemon/work/run/run.h"
#include "proto/text/money.h"

#define SECONDS_A_DAY 86400

void run_price(struct run *run, const struct ellu_llm_config *config)
{
	run->priced |= config && config->price_input && config->price_output;
}

static int64_t spent(const struct run *run)
{
	return run->progress.cost_nanodollars < 0 ? 0 : run->progress.cost_nanodollars;
}

static bool is_today(const struct daily_budget *today)
{
	return clock_wall_usec() / (SECONDS_A_DAY * USEC_PER_SEC) == today->day;
}

int64_t run_money_left(const struct run *run)
{
	int64_t limit = run->task.tuning.cost_limit;
	int64_t most = limit < 0 ? INT64_MAX : limit - spent(run);
	int64_t today = run->today.limit - (is_today(&run->today) ? run->today.spent : 0);

	return run->today.limited && today < most ? today : most;
}

bool run_is_limited(const struct run *run)
{
	return (run->task.tuning.cost_limit >= 0 || run->today.limited) &&
	       (run->priced || run->progress.cost_nanodollars >= 0);
}

bool run_may_spend(struct run *run)
{
	if (run->over_budget)
		return false;
	if (!run_is_limited(run))
		return true;
	if (run->n_outstanding == 0)
		run->pending_cost = 0;
	if (run_money_left(run) <= 0) {
		run->over_budget = true;
		return false;
	}
	return run->pending_cost < run_money_left(run);
}

void run_log_spent(struct run *run)
{
	int64_t own = run->task.tuning.cost_limit;
	bool is_own = own >= 0 && spent(run) >= own;
	char cost[MONEY_TEXT_SIZE], limit[MONEY_TEXT_SIZE];

	money_format(is_own ? spent(run) : run->today.spent, cost);
	money_format(is_own ? own : run->today.limit, limit);
	if (is_own)
		run_log_line(&run->log, "$%s were spent, the cost_limit is $%s: nothing more is asked for, "
			     "until `elluminate task tune %" PRId64 " --cost-limit DOLLARS` raises it",
			     cost, limit, run->task.task_id);
	else
		run_log_line(&run->log, "$%s were spent today in the project, its daily_cost_limit is $%s: "
			     "nothing more is asked for until tomorrow (UTC), or until `elluminate project "
			     "update NAME --daily-cost-limit DOLLARS` raises it", cost, limit);
}

void run_describe_cost(struct run *run)
{
	if (run->task.tuning.cost_limit >= 0 && !run->priced && run->progress.cost_nanodollars < 0)
		run_log_line(&run->log, "cost_limit has no effect: no price of what is asked is known");
}
