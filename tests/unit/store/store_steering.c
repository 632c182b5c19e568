/* What owners want of tasks, and what budgets do to them: pauses, settings, limits of cost. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/store/store_fixture.h"
#include "tests/unit/suite.h"

static struct fixture f;

static const char *hold_of(const struct ellu_task *task)
{
	return task->hold ? task->hold : "none";
}

static const struct ellu_task *set_paused(int64_t task_id, bool resume, bool changes)
{
	struct task_pause op = { .task_id = task_id, .resume = resume };

	CALL_OK(&f, store_task_pause, &op);
	ck_assert_int_eq(op.ret_changed, changes);
	return op.ret_task;
}

static bool may_claim(int64_t task_id)
{
	struct task_claim op = { .task_id = task_id };

	CALL_OK(&f, store_task_claim, &op);
	return op.ret_changed;
}

START_TEST(pausing)
{
	struct task_pause pause = { 0 };
	struct tasks_pending_page pending = { 0 };
	const struct ellu_task *task;
	int64_t sequence;

	fixture_open(&f);
	task = submit_grid(&f, "");
	sequence = task->sequence;
	task = set_paused(task->id, false, true);
	ck_assert_str_eq(hold_of(task), "user");
	ck_assert_str_eq(task->status, "PENDING");
	ck_assert_int_eq(task->sequence, sequence + 1);
	task = set_paused(task->id, false, false);
	ck_assert_int_eq(task->sequence, sequence + 1);
	ck_assert(!may_claim(task->id));
	/* It stays so over a restart, and is read with its hold. */
	fixture_restart(&f);
	CALL_OK(&f, store_tasks_pending_page, &pending);
	ck_assert_str_eq(pending.ret_tasks[0].hold, "user");
	task = set_paused(task->id, true, true);
	ck_assert_str_eq(hold_of(task), "none");
	set_paused(task->id, true, false);
	/* While it runs, and over its end. */
	claim(&f, task->id);
	task = set_paused(task->id, false, true);
	ck_assert_str_eq(task->status, "STARTED");
	finish(&f, task->id, TASK_PENDING);
	ck_assert(!may_claim(task->id));
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM tasks WHERE hold = 'user'"), 1);
	/* Killed while it was drained. */
	set_paused(task->id, true, true);
	claim(&f, task->id);
	set_paused(task->id, false, true);
	fixture_restart(&f);
	ck_assert(!may_claim(task->id));
	/* The end of a task ends its hold, and nothing is paused after it. */
	finish(&f, task->id, TASK_REVOKED);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM tasks WHERE hold IS NULL"), 1);
	pause.task_id = task->id;
	ck_assert_int_eq(CALL(&f, store_task_pause, &pause), ELLU_E_CONFLICT);
	ck_assert_ptr_nonnull(strstr(pause.request.fault.message, "it is REVOKED"));
	ck_assert_int_eq(look_int(&f, "SELECT max(sequence) - count(*) FROM task_events"), 0);
	fixture_close(&f);
}
END_TEST

/* Pauses are no claims that came to nothing. */
START_TEST(pauses_are_no_crashes)
{
	const struct ellu_task *task;

	fixture_open(&f);
	task = submit_grid(&f, "");
	for (int i = 0; i < 8; i++) {
		claim(&f, task->id);
		set_paused(task->id, false, true);
		finish(&f, task->id, TASK_PENDING);
		set_paused(task->id, true, true);
	}
	ck_assert(may_claim(task->id));
	fixture_close(&f);
}
END_TEST

static const struct ellu_task *tune(struct task_tune *op)
{
	CALL_OK(&f, store_task_tune, op);
	return op->ret_task;
}

START_TEST(tuning)
{
	const int64_t eight = 8, limit = 1500000000;
	struct task_tune op = { .priority = "batch", .max_connections = &eight, .cost_limit = &limit };
	const struct ellu_task *task;

	fixture_open(&f);
	task = submit_grid(&f, "");
	op.task_id = task->id;
	task = tune(&op);
	ck_assert_str_eq(task->priority, "batch");
	ck_assert_int_eq(*task->max_connections, 8);
	ck_assert_int_eq(*task->cost_limit, limit);
	ck_assert_str_eq(op.ret_line, "tuned: priority batch (was normal), max_connections 8 (was none),"
				      " cost_limit 1.5 (was none)");
	ck_assert_int_eq(task->sequence, op.ret_line_sequence);
	ck_assert(!op.ret_released);
	/* What is as wanted is no change. */
	tune(&op);
	ck_assert_ptr_null(op.ret_line);
	ck_assert_int_eq(op.ret_task->sequence, task->sequence);
	op = (struct task_tune){ .task_id = task->id, .priority = "normal" };
	task = tune(&op);
	ck_assert_int_eq(*task->max_connections, 8);
	finish(&f, task->id, TASK_REVOKED);
	ck_assert_int_eq(CALL(&f, store_task_tune, &op), ELLU_E_CONFLICT);
	fixture_close(&f);
}
END_TEST

static const char *end_over_budget(int64_t task_id)
{
	struct task_change op = { .task_id = task_id, .status = TASK_PENDING, .over_budget = true };

	claim(&f, task_id);
	CALL_OK(&f, store_task_change, &op);
	ck_assert(op.ret_changed);
	return hold_of(op.ret_task);
}

/* A rating costs 7 nanodollars. */
START_TEST(budget)
{
	const int64_t six = 6, seven = 7, eight = 8;
	struct task_tune op = { .cost_limit = &six };
	struct task_pause pause = { .resume = true };
	const struct ellu_task *task;
	const struct run_spec *spec;

	fixture_open(&f);
	task = submit_grid(&f, ", \"cost_limit\": \"0.000000005\"");
	ck_assert_int_eq(*task->cost_limit, 5);
	spec = load_run(&f, *task->experiment_id);
	rate(&f, spec, answer(&f, spec, 1, 1, "something"), 1, 0, 1, false);
	ck_assert_str_eq(end_over_budget(task->id), "budget");
	ck_assert(!may_claim(task->id));
	pause.task_id = op.task_id = task->id;
	ck_assert_int_eq(CALL(&f, store_task_pause, &pause), ELLU_E_CONFLICT);
	ck_assert_ptr_nonnull(strstr(pause.request.fault.message, "cost_limit"));
	/* Raised, but not above what was spent. */
	ck_assert_str_eq(hold_of(tune(&op)), "budget");
	op.cost_limit = &seven;
	ck_assert_str_eq(hold_of(tune(&op)), "budget");
	ck_assert(!op.ret_released);
	op.cost_limit = &eight;
	task = tune(&op);
	ck_assert_str_eq(hold_of(task), "none");
	ck_assert(op.ret_released);
	ck_assert_int_eq(task->sequence, op.ret_line_sequence + 1);
	/* Raised while the run was ending over it: it goes on. */
	ck_assert_str_eq(end_over_budget(task->id), "none");
	/* A pause hides the budget until it ends. */
	op.cost_limit = &six;
	tune(&op);
	ck_assert_str_eq(end_over_budget(task->id), "budget");
	ck_assert_str_eq(hold_of(set_paused(task->id, false, true)), "user");
	op.cost_limit = &eight;
	ck_assert_str_eq(hold_of(tune(&op)), "user");
	fixture_close(&f);
}
END_TEST

int main(void)
{
	return RUN_TESTS(pausing, pauses_are_no_crashes, tuning, budget);
}
