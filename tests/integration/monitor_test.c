/*
 * Monitor: every task that the caller may see, each change and log line once and in order; also
 * for one who reads late, comes back with his cursor, or lives through a daemon's end.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/suite.h"
#include "tests/harness/trail.h"
#include "tests/harness/users.h"

#define ROWS 200
/* One claim more, and tasks that recorded nothing in any of them would be given up. */
#define KILLS 4

static struct daemon *server;
static struct sim *sim;

/* Most items fail, and each failure is logged. */
static void begin_with(struct daemon *daemon)
{
	server = daemon;
	sim = sim_start((const char *[]) { "--content_filter_rate=0.7", "--latency_seconds=0.002",
					   NULL });
}

static int64_t submit(struct wire *wire, const char *name)
{
	return experiment_submit(wire, &(struct experiment) {
		.name = name, .rows = ROWS, .url = sim_url(sim), .max_connections = 4 });
}

static struct wire *monitor(const struct monitor_trail *trail)
{
	struct wire *wire = daemon_connect(server);

	if (trail->cursor[0])
		wire_start(wire, "'more':true", "Monitor",
			   "{'cursor':'%s','min_interval_seconds':0.05}", trail->cursor);
	else
		wire_start(wire, "'more':true", "Monitor", "{'min_interval_seconds':0.05}");
	return wire;
}

static void take(struct monitor_trail *trail, struct wire *wire)
{
	json_object *reply = wire_next(wire);

	ck_assert_msg(at_bool(reply, "continues"), "%s", json_object_to_json_string(reply));
	monitor_trail_take(trail, at_json(reply, "parameters"));
	json_object_put(reply);
}

static bool has_ended(struct monitor_trail *trail, int64_t id)
{
	struct trail *task = monitor_trail_find(trail, id);

	return task && trail_has_ended(task);
}

static void take_until_ended(struct monitor_trail *trail, struct wire *wire, int64_t id)
{
	while (!has_ended(trail, id))
		take(trail, wire);
}

/* The task was followed from its first event to its last. */
static void check_whole(struct monitor_trail *trail, int64_t id, const char *states)
{
	struct trail *task = monitor_trail_find(trail, id);

	ck_assert(task);
	ck_assert_int_eq(task->first, 1);
	ck_assert_str_eq(task->states, states);
	ck_assert_str_eq(task->logs, task_logs(daemon_connect(server), id));
}

static void check_ends_with(const char *text, const char *end)
{
	size_t size = strlen(text), end_size = strlen(end);

	ck_assert_uint_le(end_size, size);
	ck_assert_str_eq(text + size - end_size, end);
}

START_TEST(present_and_new_tasks)
{
	struct monitor_trail trail = { 0 };
	struct wire *own = daemon_connect((begin_with(daemon_start(NULL)), server)), *wire;
	int64_t over = submit(own, "over"), running, added;

	task_await_status(server, over, "SUCCESS");
	sim_control(sim, "{'latency_seconds':0.02}");
	running = submit(own, "running");
	sim_await(sim, "calls", ROWS + 4);
	wire = monitor(&trail);
	take(&trail, wire);
	ck_assert_uint_eq(trail.n_tasks, 1);
	ck_assert_int_eq(trail.tasks[0]->task_id, running);
	added = submit(own, "added");
	take_until_ended(&trail, wire, added);
	check_whole(&trail, added, "PENDING STARTED SUCCESS ");
	ck_assert_uint_gt(strlen(monitor_trail_find(&trail, added)->logs), 1000);
	take_until_ended(&trail, wire, running);
	ck_assert_str_eq(monitor_trail_find(&trail, running)->states, "SUCCESS ");
	check_ends_with(task_logs(own, running), monitor_trail_find(&trail, running)->logs);
	ck_assert_uint_eq(trail.n_tasks, 2);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* It never lives in the queue, and is told all the same. */
START_TEST(rejected_task)
{
	struct monitor_trail trail = { 0 };
	struct wire *own, *wire;
	int64_t id;

	begin_with(daemon_start(NULL));
	own = daemon_connect(server);
	wire = monitor(&trail);
	wire_call(own, "CreateCollection", "{'collection':{'name':'empty','columns':[{'name':'topic'}]}}");
	id = experiment_submit(own, &(struct experiment) {
		.url = sim_url(sim), .more = "'collection':{'ref':{'name':'empty'}}" });
	take_until_ended(&trail, wire, id);
	check_whole(&trail, id, "REJECTED ");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A pause is told when it comes, and told again as it was to who comes late. */
START_TEST(holds)
{
	struct monitor_trail trail = { 0 };
	struct trail *late, *task;
	struct wire *own, *wire;
	int64_t id;

	begin_with(daemon_start(NULL));
	sim_control(sim, "{'latency_seconds':0.02}");
	own = daemon_connect(server);
	wire = monitor(&trail);
	id = submit(own, "held");
	sim_await(sim, "in_flight", 1);
	wire_call(own, "PauseTask", "{'id':%lld}", (long long)id);
	while (!(task = monitor_trail_find(&trail, id)) || !strstr(task->states, "(user)"))
		take(&trail, wire);
	wire_call(own, "ResumeTask", "{'id':%lld}", (long long)id);
	take_until_ended(&trail, wire, id);
	check_ends_with(task->states, " SUCCESS ");
	late = trail_new(id, 0);
	wire_start(own, "'more':true", "WatchTask", "{'id':%lld,'after_sequence':0}", (long long)id);
	while (!trail_has_ended(late)) {
		json_object *reply = wire_next(own);

		trail_take(late, at_json(reply, "parameters.event"));
		json_object_put(reply);
	}
	check_whole(&trail, id, late->states);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(refusals)
{
	static const char *const cursors[] = {
		"x", "m1.1", "m1.1.1x", "m-1.1.1", "m1.1.2", "m999999999.1.1", "m1..1", "1",
		"m1.1.1.1", "m9999999999999999999.1.1",
	};
	struct wire *wire;

	begin_with(daemon_start(NULL));
	wire = daemon_connect(server);
	wire_refused(wire, "org.varlink.service.ExpectedMore", "Monitor", "{}");
	task_await_status(server, submit(wire, "one"), "SUCCESS");
	for (size_t i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++) {
		json_object *reply;

		wire_start(wire, "'more':true", "Monitor", "{'cursor':'%s'}", cursors[i]);
		reply = wire_next(wire);
		ck_assert_msg(at_is(reply, "error", "org.varlink.service.InvalidParameter") &&
				      at_is(reply, "parameters.parameter", "cursor"),
			      "%s: %s", cursors[i], json_object_to_json_string(reply));
	}
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Leaves after a few replies, again and again, and goes on behind the last one; sometimes the
 * daemon is killed in between. What is shown and told stays each once. */
static void come_back(int replies, int kill_every)
{
	struct monitor_trail trail = { 0 };
	int64_t ids[4];

	begin_with(daemon_start(NULL));
	for (int i = 0; i < 3; i++)
		ids[i] = submit(daemon_connect(server), text("task %d", i));
	for (int life = 1; !has_ended(&trail, ids[0]) || !has_ended(&trail, ids[1]) ||
			   !has_ended(&trail, ids[2]) || !has_ended(&trail, ids[3]); life++) {
		struct wire *wire = monitor(&trail);

		for (int i = 0; i < replies + life / 50; i++) {
			take(&trail, wire);
			if (life == 5 && i == 0)
				ids[3] = submit(daemon_connect(server), "late");
			if (life >= 5 && has_ended(&trail, ids[0]) && has_ended(&trail, ids[1]) &&
			    has_ended(&trail, ids[2]) && has_ended(&trail, ids[3]))
				break;
		}
		wire_close(wire);
		if (kill_every && life % kill_every == 0 && life <= KILLS * kill_every) {
			daemon_kill(server);
			daemon_restart(server);
		}
	}
	for (int i = 0; i < 4; i++) {
		struct trail *task = monitor_trail_find(&trail, ids[i]);

		check_ends_with(task_logs(daemon_connect(server), ids[i]), task->logs);
		check_ends_with(task->states, "SUCCESS ");
	}
	ck_assert_int_eq(monitor_trail_find(&trail, ids[3])->first, 1);
	ck_assert_str_eq(monitor_trail_find(&trail, ids[3])->logs,
			 task_logs(daemon_connect(server), ids[3]));
	ck_assert_int_eq(daemon_stop(server), 0);
}

START_TEST(goes_on_behind_each_reply)
{
	come_back(1, 0);
}
END_TEST

START_TEST(goes_on_over_kills)
{
	come_back(3, 4);
}
END_TEST

/* Nothing is read until all is over; then all of it comes. */
START_TEST(slow_reader)
{
	enum { TASKS = 12 };
	struct monitor_trail trail = { 0 };
	struct wire *own, *wire;
	int64_t ids[TASKS];

	begin_with(daemon_start(NULL));
	own = daemon_connect(server);
	wire = monitor(&trail);
	for (int i = 0; i < TASKS; i++)
		ids[i] = submit(own, text("task %d", i));
	for (int i = 0; i < TASKS; i++)
		task_await_status(server, ids[i], "SUCCESS");
	for (int i = 0; i < TASKS; i++)
		take_until_ended(&trail, wire, ids[i]);
	for (int i = 0; i < TASKS; i++)
		check_whole(&trail, ids[i], monitor_trail_find(&trail, ids[i])->states);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Many tasks wait when it begins: they come in pages, while they begin to run and end. */
START_TEST(many_present_tasks)
{
	enum { TASKS = 250 };
	struct monitor_trail trail = { 0 };
	struct wire *own, *wire;
	int64_t first = 0, last = 0;

	begin_with(daemon_start(NULL));
	own = daemon_connect(server);
	sim_control(sim, "{'hang_rate':1}");
	wire_call(own, "CreateCollection",
		  "{'collection':{'name':'one','variables':[{'topic':'x'}]}}");
	for (int i = 0; i < TASKS; i++) {
		last = experiment_submit(own, &(struct experiment) {
			.name = text("task %d", i), .url = sim_url(sim),
			.more = "'collection':{'ref':{'name':'one'}}" });
		first = first ? first : last;
	}
	wire = monitor(&trail);
	take(&trail, wire);
	for (int64_t id = last; id >= first; id--)
		(void)wire_call(own, "CancelTask", "{'id':%lld}", (long long)id);
	for (int64_t id = first; id <= last; id++) {
		take_until_ended(&trail, wire, id);
		if (id % 50 == 0) {
			wire_close(wire);
			wire = monitor(&trail);
		}
	}
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

static void await_shown(struct monitor_trail *trail, struct wire *wire, int64_t id)
{
	while (!monitor_trail_find(trail, id))
		take(trail, wire);
}

/* What many read at the same time the store reads once, or a few times; each is told all of it. */
START_TEST(many_at_once)
{
	enum { TASKS = 60, ALONE = 10, MANY = 100 };
	static struct monitor_trail trails[MANY];
	struct wire *own, *wires[MANY];
	double before, alone, together;
	int64_t last = 0;

	begin_with(daemon_start(NULL));
	own = daemon_connect(server);
	sim_control(sim, "{'hang_rate':1}");
	wire_call(own, "CreateCollection", "{'collection':{'name':'one','variables':[{'topic':'x'}]}}");
	for (int i = 0; i < TASKS; i++)
		last = experiment_submit(own, &(struct experiment) {
			.name = text("task %d", i), .url = sim_url(sim),
			.more = "'collection':{'ref':{'name':'one'}}" });
	before = daemon_thread_seconds(server, "store-reader");
	for (int i = 0; i < ALONE; i++) {
		struct monitor_trail trail = { 0 };

		await_shown(&trail, monitor(&trail), last);
	}
	alone = (daemon_thread_seconds(server, "store-reader") - before) / ALONE;
	for (int i = 0; i < MANY; i++)
		wires[i] = daemon_connect(server);
	before = daemon_thread_seconds(server, "store-reader");
	daemon_signal(server, SIGSTOP);
	for (int i = 0; i < MANY; i++)
		wire_start(wires[i], "'more':true", "Monitor", "{}");
	daemon_signal(server, SIGCONT);
	for (int i = 0; i < MANY; i++)
		await_shown(&trails[i], wires[i], last);
	together = daemon_thread_seconds(server, "store-reader") - before;
	ck_assert_msg(together < alone * MANY / 4, "%f s, one by itself %f s", together, alone);
	(void)wire_call(own, "CancelTask", "{'id':%lld}", (long long)last);
	for (int i = 0; i < MANY; i++) {
		take_until_ended(&trails[i], wires[i], last);
		ck_assert_uint_eq(trails[i].n_tasks, TASKS);
	}
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* ---- Two users ---- */

/* Until the end of a task of its own that is submitted while the other user's run. */
static void follow_own(struct wire *wire, void *userdata)
{
	struct monitor_trail trail = { 0 };
	struct wire *stream = monitor(&trail);
	int64_t id = experiment_submit(wire, &(struct experiment) { .name = "own", .rows = 20 });

	(void)userdata;
	take_until_ended(&trail, stream, id);
	if (trail.n_tasks != 1)
		die("another user's task was shown");
	*trail.cursor = '\0';
	/* Somebody else's cursor shows no more than one's own. */
	snprintf(trail.cursor, sizeof(trail.cursor), "m0.0.0");
	trail.n_tasks = 0;
	stream = monitor(&trail);
	take_until_ended(&trail, stream, id);
	if (trail.n_tasks != 1)
		die("another user's task was shown");
}

START_TEST(only_what_may_be_seen)
{
	struct monitor_trail trail = { 0 };
	struct wire *own, *wire;
	int64_t id;

	if (geteuid() != 0)
		return;
	begin_with(daemon_start_system());
	own = daemon_connect(server);
	id = submit(own, "root's");
	wire = monitor(&trail);
	take(&trail, wire);
	as_other_user(server, follow_own, NULL);
	/* Root sees both. */
	take_until_ended(&trail, wire, id);
	take_until_ended(&trail, wire, id + 1);
	check_whole(&trail, id + 1, "PENDING STARTED SUCCESS ");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Each task's progress comes at most once in an interval. */
START_TEST(progress_is_coalesced)
{
	struct monitor_trail trail = { 0 };
	double start = now_seconds();
	struct wire *own, *wire;
	int64_t ids[2];

	begin_with(daemon_start(NULL));
	sim_control(sim, "{'content_filter_rate':0}");
	own = daemon_connect(server);
	wire = monitor(&trail);
	for (int i = 0; i < 2; i++)
		ids[i] = submit(own, text("task %d", i));
	for (int i = 0; i < 2; i++)
		take_until_ended(&trail, wire, ids[i]);
	for (int i = 0; i < 2; i++) {
		unsigned n = monitor_trail_find(&trail, ids[i])->n_progress;

		ck_assert_uint_ge(n, 1);
		ck_assert_double_le(n, (now_seconds() - start) / 0.05 + 1);
	}
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(present_and_new_tasks, rejected_task, holds, refusals, goes_on_behind_each_reply,
			 goes_on_over_kills, slow_reader, many_present_tasks, many_at_once, only_what_may_be_seen,
			 progress_is_coalesced);
}
