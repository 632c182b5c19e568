/*
 * A live task in its owner's hand: paused, resumed and tuned, while calls are in flight, while it
 * waits, over restarts and kills. Seen by watchers, by the endpoint and in what was recorded.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/integration/control.h"

#define ONE_AT_A_TIME "[queue]\nmax_running = 1\n"

static const char *const hanging[] = { "--hang_rate=1", NULL };

/* Something else that is done meanwhile, without an endpoint. */
static void run_other(double latency)
{
	json_object *task = experiment_run(wire, &(struct experiment) {
		.name = "Other", .rows = 2,
		.more = text("'llm_config':{'content':{'name':'other','provider':'simulated',"
			     "'llm_model_name':'m','max_connections':1,"
			     "'custom':{'latency_seconds':%g}}}", latency) });

	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
}

static void await_task_state(int64_t id, const char *state)
{
	struct watcher *watcher = watch(id);

	await_state(watcher, state);
	wire_close(watcher->wire);
}

/* ---- Pausing ---- */

START_TEST(pause_with_calls_in_flight)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=1", NULL });
	struct watcher *watcher;
	int64_t id, answered, recorded;
	double seconds;

	begin(NULL);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 30, .n_criteria = 1, .url = sim_url(sim), .max_connections = 4 });
	watcher = watch(id);
	sim_await(sim, "calls", 4);
	pause_task(id);
	await_state(watcher, "STARTED user");
	answered = sim_stat(sim, "answered");
	await_state(watcher, "PENDING user");
	/* Those in flight were answered and recorded, and no other was begun. */
	ck_assert_int_le(sim_stat(sim, "calls"), answered + 4);
	recorded = experiment_recorded(wire, at_int(task_get(wire, id), "experiment_id"));
	must_be_asked_once(sim, recorded);
	ck_assert_str_eq(state_of(control("PauseTask", id)), "PENDING user");
	ck_assert_int_eq(n_on_hold(), 1);
	seconds = at_number(task_get(wire, id), "running_seconds");
	sim_control(sim, "{'latency_seconds':0.01}");
	/* Others have its slot, and it waits. */
	run_other(0);
	ck_assert_str_eq(state_of(task_get(wire, id)), "PENDING user");
	ck_assert_double_eq(at_number(task_get(wire, id), "running_seconds"), seconds);
	resume_task(id);
	task_await_status(server, id, "SUCCESS");
	must_be_asked_once(sim, 60);
	ck_assert_str_eq(all_states(watcher, id), "PENDING,STARTED,STARTED user,PENDING user,"
						  "PENDING,STARTED,SUCCESS,");
	ck_assert_int_eq(n_on_hold(), 0);
	end();
}
END_TEST

/* Resumed while its calls are still in flight, it goes on by itself. */
START_TEST(resume_during_the_drain)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=1", NULL });
	struct watcher *watcher;
	int64_t id;

	begin(NULL);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 20, .n_criteria = 1, .url = sim_url(sim), .max_connections = 4 });
	watcher = watch(id);
	sim_await(sim, "calls", 4);
	pause_task(id);
	resume_task(id);
	pause_task(id);
	resume_task(id);
	sim_control(sim, "{'latency_seconds':0.01}");
	task_await_status(server, id, "SUCCESS");
	must_be_asked_once(sim, 40);
	ck_assert_str_eq(all_states(watcher, id), "PENDING,STARTED,STARTED user,STARTED,STARTED user,"
						  "STARTED,PENDING,STARTED,SUCCESS,");
	end();
}
END_TEST

START_TEST(pause_while_it_waits)
{
	struct sim *slow = sim_start(hanging), *sim = sim_start(NULL);
	int64_t first, second, sequence;

	begin(ONE_AT_A_TIME);
	first = experiment_submit(wire, &(struct experiment) {
		.name = "A", .rows = 3, .url = sim_url(slow) });
	second = experiment_submit(wire, &(struct experiment) {
		.name = "B", .rows = 3, .url = sim_url(sim) });
	ck_assert_str_eq(state_of(task_get(wire, second)), "PENDING");
	ck_assert_str_eq(state_of(control("PauseTask", second)), "PENDING user");
	sequence = at_int(task_get(wire, second), "sequence");
	pause_task(second);
	ck_assert_int_eq(at_int(task_get(wire, second), "sequence"), sequence);
	cancel_task(first);
	/* It would have been its turn before this one. */
	ck_assert_str_eq(at_text(experiment_run(wire, &(struct experiment) {
		.name = "C", .rows = 3, .url = sim_url(sim) }), "status"), "SUCCESS");
	ck_assert_str_eq(state_of(task_get(wire, second)), "PENDING user");
	ck_assert(!at_has(task_get(wire, second), "started_at"));
	resume_task(second);
	task_await_status(server, second, "SUCCESS");
	end();
}
END_TEST

START_TEST(paused_over_restarts)
{
	struct sim *sim = sim_start(hanging);
	int64_t id;

	begin(NULL);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 10, .n_criteria = 1, .url = sim_url(sim), .max_connections = 4 });
	sim_await(sim, "calls", 4);
	/* Killed while calls that never end keep the pause from being complete. */
	pause_task(id);
	daemon_kill(server);
	restart();
	ck_assert_str_eq(state_of(task_get(wire, id)), "PENDING user");
	ck_assert_int_eq(n_on_hold(), 1);
	sim_control(sim, "{'hang_rate':0}");
	sim_reset(sim);
	/* Killed while it waits, and stopped in good order. */
	daemon_kill(server);
	restart();
	ck_assert_int_eq(daemon_stop(server), 0);
	restart();
	run_other(0);
	ck_assert_str_eq(state_of(task_get(wire, id)), "PENDING user");
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	resume_task(id);
	task_await_status(server, id, "SUCCESS");
	must_be_asked_once(sim, 20);
	end();
}
END_TEST

START_TEST(cancel_what_is_paused)
{
	struct sim *sim = sim_start(hanging);
	int64_t running, waiting;

	begin(ONE_AT_A_TIME);
	running = experiment_submit(wire, &(struct experiment) {
		.name = "A", .rows = 10, .url = sim_url(sim), .max_connections = 4 });
	waiting = experiment_submit(wire, &(struct experiment) {
		.name = "B", .rows = 10, .url = sim_url(sim), .max_connections = 4 });
	sim_await(sim, "calls", 4);
	pause_task(waiting);
	pause_task(running);
	cancel_task(running);
	sim_await(sim, "closed_early", 4);
	ck_assert(!at_has(task_get(wire, running), "hold"));
	cancel_task(waiting);
	ck_assert_int_eq(n_on_hold(), 0);
	must_conflict("PauseTask", waiting, "", "it is REVOKED");
	must_conflict("ResumeTask", waiting, "", "it is REVOKED");
	/* The slot is free. */
	sim_control(sim, "{'hang_rate':0}");
	ck_assert_str_eq(at_text(experiment_run(wire, &(struct experiment) {
		.name = "C", .rows = 3, .url = sim_url(sim) }), "status"), "SUCCESS");
	end();
}
END_TEST

/* Time on hold is no running time; it runs on when the hold ends, and the limit with it. */
START_TEST(time_stands_still)
{
	const double limit = SLOW_BUILD ? 10 : 2;
	struct sim *sim = sim_start(hanging);
	json_object *task;
	double seconds;
	int64_t id;

	begin(NULL);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 4, .url = sim_url(sim), .more = text("'time_limit_seconds':%g", limit) });
	sim_await(sim, "calls", 4);
	pause_task(id);
	seconds = at_number(task_get(wire, id), "running_seconds");
	/* Two calls after each other, together longer than the limit. */
	run_other(0.6 * limit);
	task = task_get(wire, id);
	ck_assert_str_eq(state_of(task), "STARTED user");
	ck_assert_double_eq(at_number(task, "running_seconds"), seconds);
	resume_task(id);
	task = task_await_status(server, id, "TIMEOUT");
	ck_assert_double_ge(at_number(task, "running_seconds"), limit);
	ck_assert_double_lt(at_number(task, "running_seconds"), 1.2 * limit + WAIT_SECONDS);
	end();
}
END_TEST

/* Six times, without a case done in between: that is no sign of a task that ends the daemon. */
START_TEST(pauses_are_no_idle_claims)
{
	struct sim *sim = sim_start((const char *[]) { "--rate_limit=1",
						       "--rate_window_seconds=3600",
						       "--retry_after_seconds=3600", NULL });
	struct watcher *watcher;
	int64_t id;

	begin(NULL);
	/* The one call that is allowed. */
	ck_assert_str_eq(at_text(experiment_run(wire, &(struct experiment) {
		.name = "First", .rows = 1, .url = sim_url(sim) }), "status"), "SUCCESS");
	id = experiment_submit(wire, &(struct experiment) { .rows = 4, .url = sim_url(sim) });
	watcher = watch(id);
	for (int i = 0; i < 6; i++) {
		await_state(watcher, "STARTED");
		pause_task(id);
		await_state(watcher, "PENDING user");
		resume_task(id);
	}
	await_state(watcher, "STARTED");
	ck_assert_int_eq(at_int(task_get(wire, id), "attempts"), 7);
	cancel_task(id);
	end();
}
END_TEST

/* ---- Tuning ---- */

/* Waits for the calls that were begun before; no more than so many are seen from then on. */
static void must_not_exceed(const struct sim *sim, int64_t cap)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	while (sim_stat(sim, "in_flight") > cap && now_seconds() < deadline)
		(void)poll(NULL, 0, 1);
	sim_reset(sim);
	sim_await(sim, "calls", 20);
	ck_assert_int_le(sim_stat(sim, "max_in_flight"), cap);
}

/* What a task is tuned to takes the place of what its run was begun with. */
START_TEST(tune_beyond_the_run)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.03", NULL });
	int64_t id;

	begin(NULL);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 1000, .n_criteria = 1, .url = sim_url(sim), .max_connections = 16,
		.more = "'generation_params':{'max_connections':2}" });
	must_not_exceed(sim, 2);
	tune_task(id, "'max_connections':8");
	sim_await(sim, "max_in_flight", 8);
	must_not_exceed(sim, 8);
	ck_assert(has_log(id, "tuned: max_connections 8 (was 2)"));
	cancel_task(id);
	end();
}
END_TEST

START_TEST(tune_max_connections)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.03", NULL });
	json_object *task;
	int64_t id;

	begin(NULL);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 1000, .n_criteria = 1, .url = sim_url(sim), .max_connections = 16,
		.config = "'price_input':'1','price_output':'1'" });
	sim_await(sim, "max_in_flight", 10);
	task = tune_task(id, "'max_connections':2");
	ck_assert_int_eq(at_int(task, "max_connections"), 2);
	must_not_exceed(sim, 2);
	tune_task(id, "'max_connections':8");
	sim_await(sim, "max_in_flight", 8);
	must_not_exceed(sim, 8);
	tune_task(id, "'max_connections':2");
	must_not_exceed(sim, 2);
	/* Raised above the config's, that is the cap. */
	tune_task(id, "'max_connections':200");
	sim_await(sim, "max_in_flight", 16);
	ck_assert_int_le(sim_stat(sim, "max_in_flight"), 16);
	ck_assert(has_log(id, "tuned: max_connections 8 (was 2)"));
	/* It stays over a restart. */
	tune_task(id, "'max_connections':3,'cost_limit':'12.5'");
	daemon_kill(server);
	sim_reset(sim);
	restart();
	await_task_state(id, "STARTED");
	must_not_exceed(sim, 3);
	task = task_get(wire, id);
	ck_assert_int_eq(at_int(task, "max_connections"), 3);
	ck_assert_str_eq(at_text(task, "cost_limit"), "12.5");
	cancel_task(id);
	end();
}
END_TEST

START_TEST(tune_priority)
{
	struct sim *slow = sim_start(hanging), *sim = sim_start(NULL);
	json_object *second_task, *third_task;
	int64_t first, second, third, fourth;

	begin(ONE_AT_A_TIME);
	first = experiment_submit(wire, &(struct experiment) {
		.name = "A", .rows = 3, .url = sim_url(slow) });
	second = experiment_submit(wire, &(struct experiment) {
		.name = "B", .rows = 3, .url = sim_url(sim) });
	third = experiment_submit(wire, &(struct experiment) {
		.name = "C", .rows = 3, .url = sim_url(sim) });
	fourth = experiment_submit(wire, &(struct experiment) {
		.name = "D", .rows = 3, .url = sim_url(sim) });
	/* Interactive ones need no slot. */
	ck_assert_str_eq(at_text(tune_task(fourth, "'priority':'interactive'"), "priority"),
			 "interactive");
	task_await_status(server, fourth, "SUCCESS");
	ck_assert_str_eq(state_of(task_get(wire, second)), "PENDING");
	ck_assert_str_eq(state_of(task_get(wire, third)), "PENDING");
	/* The older one goes behind. */
	tune_task(second, "'priority':'batch'");
	cancel_task(first);
	second_task = task_await_status(server, second, "SUCCESS");
	third_task = task_await_status(server, third, "SUCCESS");
	ck_assert_int_le(strcmp(at_text(third_task, "finished_at"), at_text(second_task, "started_at")),
			 0);
	ck_assert(has_log(second, "tuned: priority batch (was normal)"));
	end();
}
END_TEST

START_TEST(refusals)
{
	struct sim *sim = sim_start(NULL);
	int64_t id;
	json_object *reply;

	begin(NULL);
	id = at_int(experiment_run(wire, &(struct experiment) { .rows = 3, .url = sim_url(sim) }),
		    "id");
	must_conflict("PauseTask", id, "", "it is SUCCESS");
	must_conflict("ResumeTask", id, "", "it is SUCCESS");
	must_conflict("TuneTask", id, "'max_connections':2", "it is SUCCESS");
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "TuneTask", "{'id':%lld}",
			     (long long)id);
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "priority");
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "TuneTask",
			     "{'id':%lld,'cost_limit':'-1'}", (long long)id);
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "cost_limit");
	wire_refused(wire, "NotFound", "PauseTask", "{'id':4711}");
	wire_refused(wire, "NotFound", "ResumeTask", "{'id':4711}");
	wire_refused(wire, "NotFound", "TuneTask", "{'id':4711,'priority':'batch'}");
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(pause_with_calls_in_flight, resume_during_the_drain, pause_while_it_waits,
			 paused_over_restarts, cancel_what_is_paused, time_stands_still,
			 pauses_are_no_idle_claims, tune_max_connections, tune_beyond_the_run, tune_priority, refusals);
}
