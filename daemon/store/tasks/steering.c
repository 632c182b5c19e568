/* What its owner wants of a live task: that it pauses and goes on, how, and for how much. */
#include <string.h>

#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/runs/run.h"
#include "daemon/store/tasks/task.h"
#include "proto/generated/interface.h"
#include "proto/text/money.h"

/* A task that has not ended. Conflict. */
static int load_live(struct tx *tx, int64_t task_id, struct task_row *row)
{
	int r = task_row_load(tx, task_id, row);

	if (r < 0 || !row->task->finished_at)
		return r;
	return fault_conflict(tx->fault, "task", row->task->name, task_id, "it is %s",
			      row->task->status);
}

static int set_hold(struct tx *tx, int64_t task_id, const char *hold)
{
	int r = db_run(tx->db, "UPDATE tasks SET hold = ?2 WHERE id = ?1", "is", task_id, hold);

	return r < 0 ? r : task_event_add(tx, task_id, NULL, NULL, NULL);
}

static int task_pause_run(struct tx *tx, struct task_pause *op)
{
	enum budget budget = BUDGET_LEFT;
	struct task_row row;
	const char *hold;
	int r;

	op->ret_changed = false;
	r = load_live(tx, op->task_id, &row);
	if (r < 0)
		return r;
	op->ret_task = row.task;
	hold = op->ret_task->hold;
	if (op->resume && hold && strcmp(hold, ELLU_HOLD_BUDGET) == 0)
		r = budget_find(tx, &row, &budget);
	if (r < 0 || (op->of_budget && (budget != BUDGET_LEFT || !hold || strcmp(hold, ELLU_HOLD_BUDGET) != 0)))
		return r < 0 ? r : 0; // as it is
	if (budget != BUDGET_LEFT)
		return fault_conflict(tx->fault, "task", op->ret_task->name, op->task_id,
						  budget == BUDGET_TASK ?
							  "its cost_limit is reached: raise it with TuneTask" :
							  "the project's daily_cost_limit is reached: raise it "
							  "with UpdateProject, or wait for tomorrow (UTC)");
	if (op->resume ? !hold : hold && strcmp(hold, ELLU_HOLD_USER) == 0)
		return 0; // as it is
	r = set_hold(tx, op->task_id, op->resume ? NULL : ELLU_HOLD_USER);
	op->ret_changed = r >= 0;
	return r < 0 ? r : task_load(tx, op->task_id, &op->ret_task);
}

STORE_OPERATION(task_pause, STORE_WRITE, false)

static const char *money_text(struct tx *tx, const int64_t *amount)
{
	char text[MONEY_TEXT_SIZE];

	if (!amount)
		return "none";
	money_format(*amount, text);
	return tx_printf(tx, "%s", text);
}

static const char *count_text(struct tx *tx, const int64_t *count)
{
	return count ? tx_printf(tx, "%lld", (long long)*count) : "none";
}

/* "NAME TO (was FROM)" behind what there is; nothing where nothing changes. */
static const char *add_change(struct tx *tx, const char *line, const char *name, const char *from,
			      const char *to)
{
	if (tx->oom || strcmp(from, to) == 0)
		return line;
	return tx_printf(tx, "%s%s %s (was %s)", line ? tx_printf(tx, "%s, ", line) : "tuned: ", name,
			 to, from);
}

static const char *describe(struct tx *tx, const struct task_tune *op, const struct ellu_task *task)
{
	const char *line = NULL;

	if (op->priority)
		line = add_change(tx, line, "priority", task->priority, op->priority);
	if (op->max_connections)
		line = add_change(tx, line, "max_connections", count_text(tx, task->max_connections),
				  count_text(tx, op->max_connections));
	if (op->cost_limit)
		line = add_change(tx, line, "cost_limit", money_text(tx, task->cost_limit),
				  money_text(tx, op->cost_limit));
	return line;
}

static int store_tuning(struct tx *tx, struct task_tune *op)
{
	int r;

	r = db_run(tx->db, "UPDATE tasks SET priority = coalesce(?2, priority),"
			   " max_connections = coalesce(?3, max_connections),"
			   " cost_limit_nanodollars = coalesce(?4, cost_limit_nanodollars)"
			   " WHERE id = ?1",
		   "isII", op->task_id, op->priority, op->max_connections, op->cost_limit);
	if (r >= 0)
		r = task_event_add(tx, op->task_id, NULL, op->ret_line, &op->ret_line_sequence);
	return r < 0 ? r : task_load(tx, op->task_id, &op->ret_task);
}

/* The configs that a task spends, as TuneTask finds them. */
static int check_limit(struct tx *tx, int64_t run_id)
{
	struct run_row run = { 0 };
	int r = run_id ? run_row_load(tx, run_id, &run) : 0;

	for (int i = 0; r >= 0 && i < 2; i++) {
		int64_t id = i == 0 ? run.config_id : run.judge.config_id;
		struct ellu_llm_config *config;
		struct fault refused = { 0 };

		r = id ? llm_config_load(tx, id, &config, NULL) : 0;
		if (r >= 0 && id)
			llm_config_check_prices(tx, config, &refused);
		if (!refused.code)
			continue;
		*tx->fault = refused;
		return refused.code;
	}
	return r;
}

static int task_tune_run(struct tx *tx, struct task_tune *op)
{
	enum budget budget;
	struct task_row row;
	const char *hold;
	int r;

	op->ret_at = tx->now;
	op->ret_released = false;
	r = load_live(tx, op->task_id, &row);
	if (r < 0)
		return r;
	op->ret_task = row.task;
	op->ret_line = describe(tx, op, op->ret_task);
	if (!op->ret_line || tx->oom)
		return 0; // as it is
	r = op->cost_limit ? check_limit(tx, row.run_id) : 0;
	if (r < 0)
		return r;
	r = store_tuning(tx, op);
	if (r < 0)
		return r;
	hold = op->ret_task->hold;
	if (!hold || strcmp(hold, ELLU_HOLD_BUDGET) != 0)
		return 0;
	row.task->progress = op->ret_task->progress;
	row.task->cost_limit = op->ret_task->cost_limit;
	r = budget_find(tx, &row, &budget);
	if (r < 0 || budget != BUDGET_LEFT)
		return r;
	op->ret_released = true;
	r = set_hold(tx, op->task_id, NULL);
	return r < 0 ? r : task_load(tx, op->task_id, &op->ret_task);
}

STORE_OPERATION(task_tune, STORE_WRITE, false)
