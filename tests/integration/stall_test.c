/*
 * Clients that take nothing: the daemon keeps little for them, drops them after a while and says
 * so in its log. Nobody else notices.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"
#include "tests/harness/trail.h"

#define TASKS 24
#define ROWS 400

static struct daemon *begin(void)
{
	return daemon_start(&(struct daemon_options) {
		.config = "[front]\noutput_stall_seconds = 1\n" });
}

static void await_drop(struct daemon *daemon, struct wire *wire)
{
	struct pollfd gone = { .fd = wire_fd(wire), .events = POLLRDHUP };

	double deadline = now_seconds() + WAIT_SECONDS;

	ck_assert_int_eq(poll(&gone, 1, (int)(WAIT_SECONDS * 1000)), 1);
	/* The log has a thread of its own. */
	while (!strstr(daemon_log(daemon), "took nothing")) {
		ck_assert_msg(now_seconds() < deadline, "%s", daemon_log(daemon));
		(void)poll(NULL, 0, 2);
	}
}

START_TEST(pages)
{
	struct daemon *daemon = begin();
	struct wire *wire = daemon_connect(daemon), *other = daemon_connect(daemon);
	char *row = text("%0100000d", 0);

	wire_call(other, "CreateCollection", "{'collection':{'name':'A'}}");
	for (int i = 0; i < 20; i++)
		wire_call(other, "AddTemplateVariables",
			  "{'collection':{'name':'A'},'variables':[{'a':'%s'}]}", row);
	wire_start(wire, "'more':true", "ListTemplateVariables",
		   "{'collection':{'name':'A'},'limit':2}");
	await_drop(daemon, wire);
	/* Who is idle without anything to take stays. */
	json_object_put(wire_call(other, "GetStatus", "{}"));
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* Sends further calls all the time, and takes no answer. */
START_TEST(talks_on)
{
	struct daemon *daemon = begin();
	struct wire *wire = daemon_connect(daemon), *other = daemon_connect(daemon);
	struct pollfd gone = { .fd = wire_fd(wire), .events = POLLRDHUP };
	char *row = text("%0100000d", 0);
	double deadline = now_seconds() + WAIT_SECONDS;

	wire_call(other, "CreateCollection", "{'collection':{'name':'A'}}");
	for (int i = 0; i < 20; i++)
		wire_call(other, "AddTemplateVariables",
			  "{'collection':{'name':'A'},'variables':[{'a':'%s'}]}", row);
	wire_start(wire, "'more':true", "ListTemplateVariables",
		   "{'collection':{'name':'A'},'limit':2}");
	while (poll(&gone, 1, 100) == 0) {
		ck_assert_msg(now_seconds() < deadline, "it was not dropped");
		(void)wire_send(wire, " ", 1);
	}
	await_drop(daemon, wire);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

static struct wire *monitor(struct daemon *daemon)
{
	struct wire *wire = daemon_connect(daemon);

	wire_start(wire, "'more':true", "Monitor", "{'min_interval_seconds':0.05}");
	return wire;
}

static void take(struct monitor_trail *trail, struct wire *wire)
{
	json_object *reply = wire_next(wire);

	monitor_trail_take(trail, at_json(reply, "parameters"));
	json_object_put(reply);
}

/* Two follow all tasks, and one of them does not read. */
START_TEST(events)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct daemon *daemon = begin();
	struct wire *own = daemon_connect(daemon), *slow = monitor(daemon), *wire = monitor(daemon);
	struct monitor_trail trail = { 0 };
	int64_t present = experiment_submit(own, &(struct experiment) {
		.name = "present", .rows = 1, .url = sim_url(sim) });

	/* Once it shows this one, it has begun before all that follow. */
	while (!monitor_trail_find(&trail, present))
		take(&trail, wire);
	json_object_put(wire_call(own, "CancelTask", "{'id':%lld}", (long long)present));
	sim_control(sim, "{'hang_rate':0,'content_filter_rate':1}");
	for (int i = 0; i < TASKS; i++) {
		struct trail *task;
		int64_t id = experiment_submit(own, &(struct experiment) {
			.name = text("task %d", i), .rows = ROWS, .url = sim_url(sim) });

		while (!(task = monitor_trail_find(&trail, id)) || !trail_has_ended(task))
			take(&trail, wire);
		ck_assert_int_eq(task->first, 1);
		ck_assert_str_eq(task->logs, task_logs(own, id));
	}
	await_drop(daemon, slow);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(pages, talks_on, events);
}
