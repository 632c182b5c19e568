/*
 * A provider that goes away in mid-run, or wants a long pause: the task waits, says so, and goes
 * on; no item pays for it.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"

#define ROWS 150
#define N_ENOUGH 30 // calls after which it goes away

static struct daemon *server;
static struct sim *sim;
static struct wire *watcher;
static int64_t task_id;

/* A run that has got some answers, and somebody who watches it. */
static void begin(const char *more)
{
	sim = sim_start((const char *[]) { "--latency_seconds=0.02", NULL });
	server = daemon_start(NULL);
	task_id = experiment_submit(daemon_connect(server), &(struct experiment) {
		.rows = ROWS, .n_criteria = 1, .url = sim_url(sim), .max_connections = 8,
		.more = more });
	watcher = daemon_connect(server);
	wire_start(watcher, "'more':true", "WatchTask", "{'id':%lld,'min_interval_seconds':0.05}",
		   (long long)task_id);
	sim_await(sim, "answered", N_ENOUGH);
}

/* Reads events up to one with this hold (NULL: none) or the end; its status. */
static const char *await_hold(const char *hold)
{
	for (;;) {
		json_object *reply = wire_next(watcher);
		json_object *event = at_json(reply, "parameters.event");
		const char *status = text("%s", at_text(event, "status"));
		bool there = at_has(event, "hold") ? hold && at_is(event, "hold", hold) : !hold;
		bool ended = !at_has(reply, "continues");

		if (ended)
			ck_assert(!at_has(event, "hold"));
		json_object_put(reply);
		if (there || ended)
			return status;
	}
}

static const char *await_end(void)
{
	for (;;) {
		json_object *reply = wire_next(watcher);
		bool ended = !at_has(reply, "continues");
		const char *status = text("%s", at_text(reply, "parameters.event.status"));

		json_object_put(reply);
		if (ended)
			return status;
	}
}

static void expect_held(void)
{
	struct wire *wire = daemon_connect(server);
	json_object *task, *list;

	ck_assert_str_eq(await_hold("provider"), "STARTED");
	task = task_get(wire, task_id);
	ck_assert_str_eq(at_text(task, "hold"), "provider");
	ck_assert_str_eq(at_text(task, "status"), "STARTED");
	list = wire_call(wire, "ListTasks", "{}");
	ck_assert_int_eq(at_int(list, "items.0.id"), task_id);
	ck_assert_str_eq(at_text(list, "items.0.hold"), "provider");
	ck_assert_double_gt(at_number(task, "running_seconds"), 0);
	ck_assert_double_ge(at_number(list, "items.0.running_seconds"),
			    at_number(task, "running_seconds"));
	json_object_put(list);
	json_object_put(task);
	wire_close(wire);
}

/* Each row answered and judged, none of them failed. */
static void expect_complete(void)
{
	json_object *task;

	ck_assert_str_eq(await_end(), "SUCCESS");
	task = task_get(daemon_connect(server), task_id);
	ck_assert_int_eq(at_int(task, "progress.responses_rated"), ROWS);
	ck_assert_int_eq(at_int(task, "progress.failed"), 0);
	ck_assert(!at_has(task, "hold"));
	json_object_put(task);
}

static void expect_logged(const char *what)
{
	const char *logs = task_logs(daemon_connect(server), task_id);

	ck_assert_msg(strstr(logs, what), "no '%s' in: %s", what, logs);
}

static json_object *endpoint_status(void)
{
	return wire_call(daemon_connect(server), "GetStatus", "{}");
}

/* The cursor of a Monitor that has just shown the task, without a hold. */
static const char *monitor_cursor(void)
{
	struct wire *wire = daemon_connect(server);
	const char *cursor;
	json_object *reply;

	wire_start(wire, "'more':true", "Monitor", "{}");
	reply = wire_next(wire);
	ck_assert_int_eq(at_int(reply, "parameters.task.id"), task_id);
	ck_assert(!at_has(reply, "parameters.task.hold"));
	cursor = text("%s", at_text(reply, "parameters.cursor"));
	json_object_put(reply);
	wire_close(wire);
	return cursor;
}

/* Who comes back is told of the hold that began meanwhile. */
static void expect_monitored(const char *cursor)
{
	struct wire *wire = daemon_connect(server);
	bool told = false;

	wire_start(wire, "'more':true", "Monitor", "{'cursor':'%s'}", cursor);
	while (!told) {
		json_object *reply = wire_next(wire);

		told = at_json(reply, "parameters.event") &&
		       at_is(reply, "parameters.event.hold", "provider");
		json_object_put(reply);
	}
	wire_close(wire);
}

START_TEST(goes_down)
{
	const char *port, *cursor;
	json_object *status;

	begin(NULL);
	cursor = monitor_cursor();
	port = text("--port=%s", strrchr(sim_url(sim), ':') + 1);
	*strchr(strchr(port, '='), '/') = '\0';
	sim_stop(sim);
	expect_held();
	expect_monitored(cursor);
	status = endpoint_status();
	ck_assert(!at_is(status, "endpoints.0.breaker", "closed"));
	json_object_put(status);

	sim = sim_start((const char *[]) { "--latency_seconds=0.02", port, NULL });
	await_hold(NULL);
	expect_complete();
	expect_logged("calls fail one after the other");
	expect_logged("calls go again after");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(server_errors)
{
	json_object *status;

	begin(NULL);
	sim_control(sim, "{'error_503_rate':1,'retry_after_seconds':0}");
	expect_held();
	sim_control(sim, "{'error_503_rate':0}");
	await_hold(NULL);
	status = endpoint_status();
	ck_assert_str_eq(at_text(status, "endpoints.0.breaker"), "closed");
	json_object_put(status);
	expect_complete();
	expect_logged("HTTP status 503");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(long_retry_after)
{
	json_object *status;

	begin(NULL);
	sim_control(sim, "{'error_503_rate':1,'retry_after_seconds':3}");
	expect_held();
	status = endpoint_status();
	ck_assert_str_eq(at_text(status, "endpoints.0.breaker"), "closed");
	ck_assert_double_gt(at_number(status, "endpoints.0.wait_seconds"), 0);
	ck_assert_double_le(at_number(status, "endpoints.0.wait_seconds"), 3);
	ck_assert_ptr_nonnull(strstr(at_text(status, "endpoints.0.waits_for"), "asks for a pause"));
	json_object_put(status);
	sim_control(sim, "{'error_503_rate':0}");
	await_hold(NULL);
	expect_complete();
	expect_logged("asks for a pause");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(cancelled)
{
	begin(NULL);
	sim_control(sim, "{'error_503_rate':1,'retry_after_seconds':600}");
	expect_held();
	json_object_put(wire_call(daemon_connect(server), "CancelTask", "{'id':%lld}",
				  (long long)task_id));
	ck_assert_str_eq(await_hold("none"), "REVOKED");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* What a provider makes a task wait is running time. */
START_TEST(time_limit)
{
	begin("'time_limit_seconds':3");
	sim_control(sim, "{'error_503_rate':1,'retry_after_seconds':600}");
	expect_held();
	ck_assert_str_eq(await_hold("none"), "TIMEOUT");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A pause of a day, asked for once: whoever resumes the task has it over. */
START_TEST(a_pause_is_lifted)
{
	struct wire *wire;

	begin(NULL);
	sim_control(sim, "{'error_503_rate':1,'retry_after_seconds':80000}");
	await_hold("provider");
	sim_control(sim, "{'error_503_rate':0}");
	wire = daemon_connect(server);
	wire_call(wire, "ResumeTask", "{'id':%lld}", (long long)task_id);
	ck_assert_str_eq(await_end(), "SUCCESS");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(goes_down, server_errors, long_retry_after, a_pause_is_lifted, cancelled, time_limit);
}
