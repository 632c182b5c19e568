/*
 * The hold `budget`: which limit it is, and what people can do about it. It is never stored which: what
 * is spent, and what may be, say it whenever somebody asks.
 */
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/store/runs.h"
#include "daemon/store/runs/spending.h"
#include "daemon/store/tasks/task.h"
#include "proto/text/money.h"

static bool is_over_own(const struct ellu_task *task)
{
	const struct ellu_progress *progress = task->progress;
	int64_t spent = progress && progress->cost ? *progress->cost : 0;

	return task->cost_limit && spent >= *task->cost_limit;
}

static int find(struct tx *tx, const struct task_row *row, enum budget *ret_budget,
		struct daily_budget *ret_today)
{
	int r = spending_daily(tx->db, row->project_id, clock_wall_usec(), ret_today);

	*ret_budget = is_over_own(row->task) ? BUDGET_TASK :
		      r >= 0 && ret_today->limited && ret_today->spent >= ret_today->limit ? BUDGET_DAY :
											     BUDGET_LEFT;
	return r < 0 ? r : 0;
}

int budget_find(struct tx *tx, const struct task_row *row, enum budget *ret_budget)
{
	struct daily_budget today;

	return find(tx, row, ret_budget, &today);
}

int budget_explain(struct tx *tx, struct task_row *row)
{
	char spent[MONEY_TEXT_SIZE], limit[MONEY_TEXT_SIZE];
	struct ellu_task *task = row->task;
	struct daily_budget today;
	enum budget budget;
	int r;

	if (!task->hold || strcmp(task->hold, ELLU_HOLD_BUDGET) != 0)
		return 0;
	r = find(tx, row, &budget, &today);
	if (r < 0 || budget == BUDGET_LEFT)
		return r;
	money_format(budget == BUDGET_TASK ? *task->progress->cost : today.spent, spent);
	money_format(budget == BUDGET_TASK ? *task->cost_limit : today.limit, limit);
	if (budget == BUDGET_TASK) {
		task->hold_reason = tx_printf(tx, "$%s were spent, the cost_limit is $%s: elluminate task tune "
					      "%lld --cost-limit DOLLARS raises it", spent, limit,
					      (long long)task->id);
		return 0;
	}
	task->hold_reason = tx_printf(tx, "$%s were spent today in the project '%s', its daily_cost_limit is "
				      "$%s: it goes on tomorrow (UTC), or elluminate project update '%s' "
				      "--daily-cost-limit DOLLARS raises it", spent, task->project, limit,
				      task->project);
	task->hold_until = tx_int_value(tx, spending_day_start(today.day + 1));
	return 0;
}
