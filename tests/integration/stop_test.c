/* Orderly ends: of the daemon in the middle of a run, of a client that leaves, of a task. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"

static struct daemon *server;
static struct sim *sim;
static struct wire *wire;

/* No grace period ends within a test: what is in flight is let go for another reason. */
static int64_t begin(const char *const *settings, const struct experiment *experiment)
{
	struct experiment filled = *experiment;

	server = daemon_start(&(struct daemon_options) {
		.config = "[daemon]\nshutdown_grace_seconds = 3600\n" });
	sim = sim_start(settings);
	wire = daemon_connect(server);
	filled.url = sim_url(sim);
	return experiment_submit(wire, &filled);
}

/* SIGTERM, and waits until the daemon has begun to stop: two signals at once are one. */
static void begin_stop(void)
{
	struct wire *another;

	daemon_signal(server, SIGTERM);
	while ((another = wire_try_open(daemon_socket(server)))) {
		wire_close(another);
		(void)poll(NULL, 0, 2);
	}
}

/* Calls in flight finish and are recorded; the rest waits for the next start. */
START_TEST(stop_in_mid_run)
{
	int64_t id = begin((const char *[]) { "--latency_seconds=0.3", NULL },
			   &(struct experiment) { .rows = 40, .n_criteria = 1, .max_connections = 4 });
	json_object *task, *stats;

	sim_await(sim, "in_flight", 4);
	sim_await(sim, "answered", 4);
	ck_assert_int_eq(daemon_stop(server), 0);
	stats = sim_stats(sim);
	ck_assert_int_eq(at_int(stats, "closed_early"), 0);
	ck_assert_int_eq(at_int(stats, "calls"), at_int(stats, "answered"));
	ck_assert_int_lt(at_int(stats, "calls"), 80);

	sim_control(sim, "{'latency_seconds':3600}");
	daemon_restart(server);
	wire = daemon_connect(server);
	sim_await(sim, "in_flight", 1);
	task = task_get(wire, id);
	ck_assert_str_eq(at_text(task, "status"), "STARTED");
	/* What was answered before is recorded. */
	ck_assert_int_eq(experiment_recorded(wire, at_int(task, "experiment_id")),
			 at_int(stats, "answered"));
	sim_control(sim, "{'latency_seconds':0}");
	daemon_kill(server);
	daemon_restart(server);
	task = task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.results.ratings"), 40);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Before the grace period is over a second signal ends it. */
START_TEST(second_signal)
{
	int64_t id = begin((const char *[]) { "--hang_rate=1", NULL },
			   &(struct experiment) { .rows = 40, .n_criteria = 1, .max_connections = 4 });

	sim_await(sim, "in_flight", 4);
	daemon_signal(server, SIGTERM);
	/* It waits for what is in flight: nobody else can connect any more. */
	ck_assert_int_eq(daemon_wait(server, 1.0), -1);
	daemon_signal(server, SIGTERM);
	ck_assert_int_eq(daemon_wait(server, WAIT_SECONDS), 0);
	sim_control(sim, "{'hang_rate':0}");
	daemon_restart(server);
	task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(grace_period)
{
	int64_t id;

	server = daemon_start(&(struct daemon_options) {
		.config = "[daemon]\nshutdown_grace_seconds = 1\n" });
	sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	wire = daemon_connect(server);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 40, .n_criteria = 1, .max_connections = 4, .url = sim_url(sim) });
	sim_await(sim, "in_flight", 4);
	ck_assert_int_eq(daemon_stop(server), 0);
	sim_control(sim, "{'hang_rate':0}");
	daemon_restart(server);
	task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Those who follow a task see its state when the daemon goes. */
START_TEST(watchers_at_a_stop)
{
	int64_t id = begin((const char *[]) { "--hang_rate=1", NULL },
			   &(struct experiment) { .rows = 4, .max_connections = 4 });
	const char *message = NULL;
	json_object *last = NULL;

	wire_start(wire, "'more':true", "WatchTask", "{'id':%lld}", (long long)id);
	sim_await(sim, "in_flight", 4);
	ck_assert_str_eq(at_text(wire_next(wire), "parameters.event.status"), "STARTED");
	begin_stop();
	daemon_signal(server, SIGTERM);
	while (wire_receive(wire, WAIT_SECONDS, &message) == WIRE_MESSAGE)
		last = json_must_parse(message);
	ck_assert_str_eq(at_text(last, "parameters.event.status"), "PENDING");
	ck_assert_int_eq(daemon_wait(server, WAIT_SECONDS), 0);
}
END_TEST

/* Nothing but the cancel ends these calls. How fast it is, bench/cancel measures. */
START_TEST(cancel)
{
	int64_t id = begin((const char *[]) { "--hang_rate=1", NULL },
			   &(struct experiment) { .rows = 200, .n_criteria = 1, .max_connections = 64 });
	struct wire *watcher = daemon_connect(server);
	json_object *reply;

	wire_start(watcher, "", "WatchTask", "{'id':%lld}", (long long)id);
	sim_await(sim, "in_flight", 64);
	reply = wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	ck_assert_str_eq(at_text(reply, "task.status"), "REVOKED");
	sim_await(sim, "closed_early", 64);
	ck_assert_int_eq(sim_stat(sim, "in_flight"), 0);
	ck_assert_str_eq(at_text(wire_next(watcher), "parameters.task.status"), "REVOKED");
	/* Again: the same answer; the task never changes any more. */
	reply = wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	ck_assert_str_eq(at_text(reply, "task.status"), "REVOKED");
	ck_assert_int_eq(sim_stat(sim, "calls"), 64);
	ck_assert_int_eq(daemon_stop(server), 0);
	daemon_restart(server);
	ck_assert_str_eq(at_text(task_await(server, id), "status"), "REVOKED");
	ck_assert_int_eq(sim_stat(sim, "calls"), 64);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

static int64_t leave_while_running(const char *more)
{
	struct wire *leaver;
	json_object *event;
	int64_t id;

	server = daemon_start(NULL);
	sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	leaver = daemon_connect(server);
	wire_start(leaver, "'more':true", "RunExperiment", "%s", experiment_request(&(struct experiment) {
		.rows = 10, .max_connections = 2, .url = sim_url(sim), .more = more }));
	event = wire_next(leaver);
	id = at_int(event, "parameters.event.task_id");
	sim_await(sim, "in_flight", 2);
	wire_close(leaver);
	return id;
}

START_TEST(client_leaves)
{
	int64_t id = leave_while_running(NULL);

	sim_control(sim, "{'hang_rate':0}");
	/* What hangs does so for ever: a restart takes it up again. */
	daemon_kill(server);
	daemon_restart(server);
	task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(client_leaves_and_cancels)
{
	int64_t id = leave_while_running("'cancel_on_disconnect':true");

	task_await_status(server, id, "REVOKED");
	sim_await(sim, "closed_early", 2);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* More tasks than may run: the rest waits its turn, and none is lost. */
START_TEST(many_tasks)
{
	enum { N = 30 };
	int64_t ids[N];
	json_object *status;

	server = daemon_start(&(struct daemon_options) {
		.config = "[queue]\nmax_running = 4\nmax_running_per_user = 3\nmax_pending = 40\n" });
	/* Long enough for all to come before the first ones have ended. */
	sim = sim_start((const char *[]) { "--latency_seconds=2", NULL });
	wire = daemon_connect(server);
	for (int i = 0; i < N; i++)
		ids[i] = experiment_submit(wire, &(struct experiment) {
			.name = text("E%d", i), .rows = 5, .n_criteria = 1, .url = sim_url(sim),
			.max_connections = 4 });
	status = wire_call(wire, "GetStatus", "{}");
	ck_assert_int_le(at_int(status, "queue.started"), 3);
	ck_assert_int_gt(at_int(status, "queue.pending"), 0);
	sim_control(sim, "{'latency_seconds':0.05}");
	ck_assert_int_eq(daemon_stop(server), 0);
	daemon_restart(server);
	for (int i = 0; i < N; i++)
		json_object_put(task_await_status(server, ids[i], "SUCCESS"));
	ck_assert_int_eq(sim_stat(sim, "answered"), N * 10);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(full_queue)
{
	json_object *task;

	server = daemon_start(&(struct daemon_options) {
		.config = "[queue]\nmax_running = 1\nmax_pending = 2\n" });
	sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	wire = daemon_connect(server);
	for (int i = 0; i < 3; i++)
		experiment_submit(wire, &(struct experiment) {
			.name = text("E%d", i), .rows = 5, .url = sim_url(sim), .max_connections = 4 });
	task = experiment_run(wire, &(struct experiment) {
		.name = "too many", .rows = 5, .url = sim_url(sim), .max_connections = 4 });
	ck_assert_str_eq(at_text(task, "status"), "REJECTED");
	ck_assert_str_eq(at_text(task, "error.code"), "QueueFull");
	begin_stop();
	daemon_signal(server, SIGTERM);
	ck_assert_int_eq(daemon_wait(server, WAIT_SECONDS), 0);
}
END_TEST

/* Somebody comes at the very moment at which it would leave: a daemon that is held up until then
 * sees both at once. */
START_TEST(idle_exit_loses_nobody)
{
	struct daemon *daemon = daemon_start(&(struct daemon_options) {
		.arguments = (const char *[]) { "--idle-exit-seconds=3", NULL } });
	struct wire *first, *second;

	daemon_signal(daemon, SIGSTOP);
	ck_assert_int_eq(daemon_wait(daemon, 3.5), -1); // its time is over
	first = daemon_connect(daemon);
	wire_start(first, "", "GetStatus", "{}");
	daemon_signal(daemon, SIGCONT);
	json_object_put(wire_next(first));
	second = daemon_connect(daemon); // the socket is there as before
	json_object_put(wire_call(second, "GetStatus", "{}"));
	wire_close(first);
	wire_close(second);
	ck_assert_int_eq(daemon_wait(daemon, WAIT_SECONDS), 0);
}
END_TEST

START_TEST(idle_exit)
{
	server = daemon_start(&(struct daemon_options) {
		.arguments = (const char *[]) { "--idle-exit-seconds=1", NULL } });
	wire = daemon_connect(server);
	json_object_put(wire_call(wire, "GetStatus", "{}"));
	wire_close(wire);
	ck_assert_int_eq(daemon_wait(server, WAIT_SECONDS), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(stop_in_mid_run, second_signal, grace_period, watchers_at_a_stop, cancel,
			 client_leaves, client_leaves_and_cancels, many_tasks, full_queue, idle_exit,
			 idle_exit_loses_nobody);
}
