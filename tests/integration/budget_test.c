/*
 * The cost limit: a task that has spent it waits with the hold `budget` until it is raised, over
 * restarts too, and asks for nothing meanwhile; where no price is known there is no limit.
 */
#include <stdlib.h>

#include "tests/integration/control.h"

#define PRICES "'price_input':'3','price_output':'15'"

static double cost_of(int64_t id)
{
	return atof(at_text(task_get(wire, id), "progress.cost"));
}

static const char *cost_limit(double dollars)
{
	return text("'cost_limit':'%.9f'", dollars);
}

START_TEST(held_for_its_budget)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.005", NULL });
	struct experiment experiment = { .name = "A", .rows = 60, .n_criteria = 1, .url = sim_url(sim),
					 .max_connections = 4, .config = PRICES };
	struct watcher *watcher;
	double whole, half;
	int64_t id;

	begin(NULL);
	whole = cost_of(at_int(experiment_run(wire, &experiment), "id"));
	half = whole / 2;
	ck_assert_double_gt(half, 0);
	sim_reset(sim);
	experiment.name = "B";
	experiment.more = cost_limit(half);
	id = experiment_submit(wire, &experiment);
	watcher = watch(id);
	await_state(watcher, "PENDING budget");
	/* What was in flight was recorded, and nothing else was begun. */
	must_be_asked_once(sim, experiment_recorded(wire, at_int(task_get(wire, id), "experiment_id")));
	ck_assert_double_ge(cost_of(id), half);
	ck_assert_double_lt(cost_of(id), 0.75 * whole);
	ck_assert(has_log(id, "the cost_limit is $"));
	ck_assert_int_eq(n_on_hold(), 1);
	/* Neither a restart nor ResumeTask lets it go on, nor a limit below what was spent. */
	ck_assert_int_eq(daemon_stop(server), 0);
	restart();
	ck_assert_str_eq(state_of(task_get(wire, id)), "PENDING budget");
	must_conflict("ResumeTask", id, "", "cost_limit");
	ck_assert_str_eq(state_of(tune_task(id, cost_limit(half * 1.000001))), "PENDING budget");
	watcher = watch(id);
	await_state(watcher, "PENDING budget");
	ck_assert_str_eq(state_of(tune_task(id, cost_limit(2 * whole))), "PENDING");
	task_await_status(server, id, "SUCCESS");
	must_be_asked_once(sim, 120);
	ck_assert_str_eq(all_states(watcher, id), "PENDING,STARTED,PENDING budget,PENDING,STARTED,"
						  "SUCCESS,");
	end();
}
END_TEST

/* A task that only rates has its own budget, and is controlled the same way. */
START_TEST(rating_held_for_its_budget)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.005", NULL });
	struct watcher *watcher;
	int64_t experiment_id, id, calls;
	double whole;

	begin(NULL);
	experiment_id = at_int(experiment_run(wire, &(struct experiment) {
		.rows = 60, .url = sim_url(sim), .max_connections = 4, .config = PRICES }),
		"experiment_id");
	whole = cost_of(at_int(at_json(wire_call(wire, "RateExperiment",
						 "{'experiment':{'id':%lld},'criteria':['Good?']}",
						 (long long)experiment_id), "task"), "id"));
	sim_reset(sim);
	id = at_int(wire_call(wire, "RateExperiment",
			      "{'experiment':{'id':%lld},'criteria':['Bad?'],'detach':true,%s}",
			      (long long)experiment_id, requoted(cost_limit(whole / 2))), "task.id");
	watcher = watch(id);
	await_state(watcher, "PENDING budget");
	ck_assert_double_ge(cost_of(id), whole / 2);
	calls = sim_stat(sim, "calls");
	ck_assert_int_lt(calls, 45);
	sim_control(sim, "{'latency_seconds':1}");
	tune_task(id, cost_limit(2 * whole));
	sim_await(sim, "calls", calls + 1);
	pause_task(id);
	await_state(watcher, "PENDING user");
	sim_control(sim, "{'latency_seconds':0.005}");
	resume_task(id);
	task_await_status(server, id, "SUCCESS");
	must_be_asked_once(sim, 60);
	end();
}
END_TEST

/* Lowered while it runs; paused on top of it; cancelled. */
START_TEST(budget_lowered_while_it_runs)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.01", NULL });
	struct watcher *watcher;
	int64_t id;

	begin(NULL);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 1000, .n_criteria = 1, .url = sim_url(sim), .max_connections = 2,
		.config = PRICES });
	sim_await(sim, "answered", 10);
	tune_task(id, "'cost_limit':'0.000001'");
	watcher = watch(id);
	await_state(watcher, "PENDING budget");
	ck_assert_str_eq(state_of(control("PauseTask", id)), "PENDING user");
	/* Resumed, it finds its budget spent at once. */
	await_state(watcher, "PENDING user");
	sim_reset(sim);
	resume_task(id);
	await_state(watcher, "PENDING budget");
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	cancel_task(id);
	ck_assert(!at_has(task_get(wire, id), "hold"));
	end();
}
END_TEST

/* A limit that nothing could be held against is refused, whoever would be asked. */
START_TEST(no_price_no_limit)
{
	static const char prices[] = "'price_input':'1','price_output':'2'";
	struct sim *sim = sim_start(NULL);
	json_object *task, *reply;
	int64_t id;

	begin(NULL);
	task = experiment_run(wire, &(struct experiment) {
		.name = "none", .rows = 3, .url = sim_url(sim), .more = "'cost_limit':'1'" });
	ck_assert_str_eq(at_text(task, "status"), "REJECTED");
	ck_assert_str_eq(at_text(task, "error.field"), "cost_limit");
	ck_assert_ptr_nonnull(strstr(at_text(task, "error.message"), "price_input and price_output"));
	task = experiment_run(wire, &(struct experiment) {
		.name = "half", .rows = 3, .url = sim_url(sim), .config = "'price_input':'1'",
		.more = "'cost_limit':'1'" });
	ck_assert_ptr_nonnull(strstr(at_text(task, "error.message"), "'half config'"));
	ck_assert_ptr_nonnull(strstr(at_text(task, "error.message"), "no price_output"));
	/* The judge's as well. */
	task = experiment_run(wire, &(struct experiment) {
		.name = "judged", .rows = 3, .n_criteria = 1, .url = sim_url(sim), .config = prices,
		.more = text("'cost_limit':'1','rating_llm_config':{'content':{'name':'judge',"
			     "'provider':'openai','llm_model_name':'m','llm_base_url':'%s'}}",
			     sim_url(sim)) });
	ck_assert_str_eq(at_text(task, "error.field"), "cost_limit");
	ck_assert_ptr_nonnull(strstr(at_text(task, "error.message"), "'judge'"));
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	/* What costs nothing has no need of prices. */
	task = experiment_run(wire, &(struct experiment) {
		.name = "free", .rows = 3, .n_criteria = 1, .more = "'cost_limit':'1'" });
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	/* Nor is one set later. */
	sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	id = experiment_submit(wire, &(struct experiment) {
		.name = "later", .rows = 3, .url = sim_url(sim) });
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "TuneTask",
			     "{'id':%lld,'cost_limit':'1'}", (long long)id);
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "cost_limit");
	cancel_task(id);
	reply = wire_call(wire, "RetryTask", "{'id':%lld,'cost_limit':'1'}", (long long)id);
	ck_assert_str_eq(at_text(reply, "task.error.field"), "cost_limit");
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(held_for_its_budget, rating_held_for_its_budget,
			 budget_lowered_while_it_runs, no_price_no_limit);
}
