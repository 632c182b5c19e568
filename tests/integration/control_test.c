/* SPDX-License-Identifier: MIT */
/*
 * A live task in its owner's hand: paused, resumed, tuned and held for its budget, while calls are
 * in flight, while it waits, over restarts and kills. Seen by watchers, by the endpoint and in what
 * was recorded.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"

#define ONE_AT_A_TIME "[queue]\nmax_running = 1\n"

static const char *const hanging[] = { "--hang_rate=1", NULL };

static struct daemon *server;
static struct wire *wire;

static void begin(const char *config)
{
	server = daemon_start(config ? &(struct daemon_options) { .config = config } : NULL);
	wire = daemon_connect(server);
}

static void end(void)
{
	ck_assert_int_eq(daemon_stop(server), 0);
}

static void restart(void)
{
	daemon_restart(server);
	wire = daemon_connect(server);
}

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

/* ---- Control and what it answers ---- */

/* ' stands for ", as in quoted(). */
static const char *members_of(const char *parameters)
{
	char *members = text("%s", parameters);

	for (char *at = members; (at = strchr(at, '\''));)
		*at = '"';
	return members;
}

static json_object *control(const char *method, int64_t id)
{
	json_object *reply = wire_call(wire, method, "{'id':%lld}", (long long)id);

	return at_json(reply, "task");
}

static void pause_task(int64_t id)
{
	ck_assert_str_eq(at_text(control("PauseTask", id), "hold"), "user");
}

static void resume_task(int64_t id)
{
	ck_assert(!at_has(control("ResumeTask", id), "hold"));
}

static void cancel_task(int64_t id)
{
	ck_assert_str_eq(at_text(control("CancelTask", id), "status"), "REVOKED");
}

static json_object *tune_task(int64_t id, const char *members)
{
	json_object *reply = wire_call(wire, "TuneTask", "{'id':%lld,%s}", (long long)id,
				       members_of(members));

	return at_json(reply, "task");
}

/* "STATUS" or "STATUS HOLD". */
static const char *state_of(json_object *record)
{
	return at_has(record, "hold") ?
		       text("%s %s", at_text(record, "status"), at_text(record, "hold")) :
		       at_text(record, "status");
}

static void must_conflict(const char *method, int64_t id, const char *members, const char *why)
{
	json_object *reply = wire_refused(wire, "Conflict", method, "{'id':%lld%s%s}", (long long)id,
					  members[0] ? "," : "", members_of(members));

	ck_assert_str_eq(at_text(reply, "parameters.resource_type"), "task");
	ck_assert_int_eq(at_int(reply, "parameters.resource_id"), id);
	ck_assert_msg(strstr(at_text(reply, "parameters.reason"), why), "%s",
		      json_object_to_json_string(reply));
}

/* ---- What a watcher sees ---- */

struct watcher {
	struct wire *wire;
	int64_t sequence;
	char states[512]; // each that is not the one before, with a comma behind it
	char state[64];
};

static struct watcher *watch(int64_t id)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));

	watcher->wire = daemon_connect(server);
	wire_start(watcher->wire, "'more':true", "WatchTask",
		   "{'id':%lld,'after_sequence':0,'min_interval_seconds':0.05}", (long long)id);
	return watcher;
}

/* False: it was the last. A change of status or hold raises the sequence. */
static bool read_event(struct watcher *watcher)
{
	json_object *reply = wire_next(watcher->wire);
	json_object *event = at_json(reply, "parameters.event");
	bool continues = at_has(reply, "continues");
	const char *state;

	ck_assert_msg(event, "%s", json_object_to_json_string(reply));
	state = state_of(event);
	ck_assert_int_ge(at_int(event, "sequence"), watcher->sequence);
	if (strcmp(state, watcher->state) != 0) {
		ck_assert_int_gt(at_int(event, "sequence"), watcher->sequence);
		snprintf(watcher->state, sizeof(watcher->state), "%s", state);
		strncat(watcher->states, text("%s,", state),
			sizeof(watcher->states) - strlen(watcher->states) - 1);
	}
	watcher->sequence = at_int(event, "sequence");
	json_object_put(reply);
	return continues;
}

static void await_state(struct watcher *watcher, const char *state)
{
	while (strcmp(watcher->state, state) != 0)
		if (!read_event(watcher) && strcmp(watcher->state, state) != 0)
			die("it ended as %s, without %s", watcher->state, state);
}

/* All that a watcher was told live, which is what one that comes late is told. */
static const char *all_states(struct watcher *watcher, int64_t id)
{
	struct watcher *late = watch(id);

	while (read_event(watcher))
		;
	while (read_event(late))
		;
	ck_assert_str_eq(late->states, watcher->states);
	ck_assert_int_eq(late->sequence, watcher->sequence);
	return watcher->states;
}

static void await_task_state(int64_t id, const char *state)
{
	struct watcher *watcher = watch(id);

	await_state(watcher, state);
	wire_close(watcher->wire);
}

static bool has_log(int64_t id, const char *words)
{
	json_object *lines = list_all(wire, "ListTaskLogs", "'id':%lld", (long long)id);

	for (size_t i = 0; i < json_object_array_length(lines); i++)
		if (strstr(at_text(json_object_array_get_idx(lines, i), "line"), words))
			return true;
	return false;
}

static int64_t n_on_hold(void)
{
	return at_int(wire_call(wire, "GetStatus", "{}"), "queue.on_hold");
}

/* Nothing was asked for that was recorded. */
static void must_be_asked_once(const struct sim *sim, int64_t n)
{
	json_object *stats = sim_stats(sim);

	ck_assert_int_eq(at_int(stats, "calls"), n);
	ck_assert_int_eq(at_int(stats, "answered"), n);
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

START_TEST(tune_max_connections)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.03", NULL });
	json_object *task;
	int64_t id;

	begin(NULL);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 1000, .n_criteria = 1, .url = sim_url(sim), .max_connections = 16 });
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

/* ---- The cost limit ---- */

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
			      (long long)experiment_id, members_of(cost_limit(whole / 2))), "task.id");
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

START_TEST(no_price_no_limit)
{
	struct sim *sim = sim_start(NULL);
	json_object *task;

	begin(NULL);
	task = experiment_run(wire, &(struct experiment) {
		.rows = 10, .n_criteria = 1, .url = sim_url(sim), .more = "'cost_limit':'0'" });
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert(has_log(at_int(task, "id"), "cost_limit has no effect"));
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(pause_with_calls_in_flight, resume_during_the_drain, pause_while_it_waits,
			 paused_over_restarts, cancel_what_is_paused, time_stands_still,
			 pauses_are_no_idle_claims, tune_max_connections, tune_priority, refusals,
			 held_for_its_budget, rating_held_for_its_budget,
			 budget_lowered_while_it_runs, no_price_no_limit);
}
