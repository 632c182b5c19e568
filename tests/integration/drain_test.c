/*
 * Drain: nothing is started, calls in flight finish and are recorded, what ran waits again; the
 * daemon goes on serving, and afterwards goes on where it was.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/suite.h"
#include "tests/harness/users.h"

static struct daemon *server;
static struct sim *sim;
static struct wire *wire;

static void begin(const char *config, const char *const *settings)
{
	server = daemon_start(&(struct daemon_options) { .config = config });
	sim = sim_start(settings);
	wire = daemon_connect(server);
}

static int64_t submit(const char *name)
{
	return experiment_submit(wire, &(struct experiment) {
		.name = name, .rows = 20, .n_criteria = 1, .url = sim_url(sim), .max_connections = 2 });
}

static bool is_draining(void)
{
	return at_bool(wire_call(wire, "GetStatus", "{}"), "queue.draining");
}

START_TEST(in_mid_run)
{
	json_object *status, *stats;
	int64_t ids[4];

	begin("[queue]\nmax_running = 2\n", (const char *[]) { "--latency_seconds=0.2", NULL });
	for (int i = 0; i < 3; i++)
		ids[i] = submit(text("E%d", i));
	sim_await(sim, "answered", 4);
	json_object_put(wire_call(wire, "Drain", "{}"));
	status = wire_call(wire, "GetStatus", "{}");
	ck_assert(at_bool(status, "queue.draining"));
	ck_assert_int_eq(at_int(status, "queue.started"), 0);
	ck_assert_int_eq(at_int(status, "queue.pending"), 3);
	/* What was in flight was answered and is recorded. */
	stats = sim_stats(sim);
	ck_assert_int_eq(at_int(stats, "in_flight"), 0);
	ck_assert_int_eq(at_int(stats, "closed_early"), 0);
	ck_assert_int_eq(at_int(stats, "calls"), at_int(stats, "answered"));
	ck_assert_int_eq(database_int(server, "SELECT (SELECT count(*) FROM responses) +"
					      " (SELECT count(*) FROM ratings)"), at_int(stats, "calls"));
	/* What comes now waits. Again: nothing runs. */
	ids[3] = submit("E3");
	ck_assert_str_eq(at_text(task_get(wire, ids[3]), "status"), "PENDING");
	json_object_put(wire_call(wire, "Drain", "{}"));
	ck_assert_int_eq(sim_stat(sim, "calls"), at_int(stats, "calls"));

	json_object_put(wire_call(wire, "Drain", "{'undo':true}"));
	ck_assert(!is_draining());
	for (int i = 0; i < 4; i++)
		json_object_put(task_await_status(server, ids[i], "SUCCESS"));
	task_must_have_been(server, ids[0], "PENDING STARTED PENDING STARTED SUCCESS");
	task_must_have_been(server, ids[1], "PENDING STARTED PENDING STARTED SUCCESS");
	task_must_have_been(server, ids[2], "PENDING STARTED SUCCESS");
	/* Nothing was asked for twice, and the older went first. */
	ck_assert_int_eq(sim_stat(sim, "answered"), 4 * 40);
	ck_assert_int_eq(sim_stat(sim, "distinct_keys"), 4 * 40);
	ck_assert_str_eq(database_text(server, "SELECT group_concat(task_id, ' ') FROM (SELECT task_id"
					       " FROM task_events WHERE status = 'STARTED' AND"
					       " line IS NULL ORDER BY number)"),
			 text("%lld %lld %lld %lld %lld %lld", (long long)ids[0], (long long)ids[1],
			      (long long)ids[0], (long long)ids[1], (long long)ids[2],
			      (long long)ids[3]));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* However often it is given back, a task that records nothing did no harm. */
START_TEST(many_times)
{
	int64_t id;

	begin(NULL, (const char *[]) { "--latency_seconds=0.1", "--error_500_rate=1", NULL });
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 9, .url = sim_url(sim), .max_connections = 2, .config = "'max_retries':100" });
	for (int i = 0; i < 7; i++) {
		sim_await(sim, "in_flight", 1);
		json_object_put(wire_call(wire, "Drain", "{}"));
		ck_assert_str_eq(at_text(task_get(wire, id), "status"), "PENDING");
		ck_assert_int_eq(sim_stat(sim, "in_flight"), 0);
		json_object_put(wire_call(wire, "Drain", "{'undo':true}"));
	}
	sim_control(sim, "{'error_500_rate':0}");
	ck_assert_int_eq(at_int(task_await_status(server, id, "SUCCESS"), "attempts"), 8);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Undone while it waits for what hangs: who waits for it learns that. */
START_TEST(undone)
{
	struct wire *drainer, *leaver;
	int64_t id, later;

	begin(NULL, (const char *[]) { "--hang_rate=1", NULL });
	id = submit("Hanging");
	sim_await(sim, "in_flight", 2);
	drainer = daemon_connect(server);
	leaver = daemon_connect(server);
	wire_start(leaver, "", "Drain", "{}");
	wire_start(drainer, "", "Drain", "{}");
	while (!is_draining())
		;
	wire_close(leaver);
	/* On the built-in model: what hangs has the endpoint's slots. */
	later = experiment_submit(wire, &(struct experiment) {
		.name = "Later", .rows = 5, .more = "'llm_config':{'ref':{'name':'simulated'}}" });
	ck_assert_str_eq(at_text(task_get(wire, later), "status"), "PENDING");
	json_object_put(wire_call(wire, "Drain", "{'undo':true}"));
	ck_assert_str_eq(at_text(wire_next(drainer), "error"), "org.elluminate.Cancelled");
	json_object_put(task_await_status(server, later, "SUCCESS"));
	/* The other hangs on for what it had in flight, and can be cancelled. */
	ck_assert_str_eq(at_text(task_get(wire, id), "status"), "STARTED");
	json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id));
	sim_await(sim, "closed_early", 2);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A daemon that is drained, or about to be, ends like any other; the next one is not drained. */
START_TEST(stopped)
{
	struct wire *drainer;
	const char *message;
	int64_t id;

	begin("[daemon]\nshutdown_grace_seconds = 0\n", (const char *[]) { "--hang_rate=1", NULL });
	id = submit("Hanging");
	sim_await(sim, "in_flight", 2);
	drainer = daemon_connect(server);
	wire_start(drainer, "", "Drain", "{}");
	while (!is_draining())
		;
	ck_assert_int_eq(daemon_stop(server), 0);
	ck_assert_int_eq(wire_receive(drainer, WAIT_SECONDS, &message), WIRE_MESSAGE);
	sim_control(sim, "{'hang_rate':0}");
	daemon_restart(server);
	json_object_put(task_await_status(server, id, "SUCCESS"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* ---- Who may ---- */

static void be_refused(struct wire *other, void *userdata)
{
	(void)userdata;
	wire_refused(other, "org.varlink.service.PermissionDenied", "Drain", "{}");
	wire_refused(other, "org.varlink.service.PermissionDenied", "Drain", "{'undo':true}");
}

START_TEST(of_the_system)
{
	server = daemon_start_system();
	as_other_user(server, be_refused, NULL);
	wire = daemon_connect(server);
	ck_assert(!is_draining());
	json_object_put(wire_call(wire, "Drain", "{}"));
	ck_assert(is_draining());
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A user's own daemon: that user may. */
START_TEST(of_a_user)
{
	const char *folder = dir_new(), *program = dir_path(folder, "elluminated");
	int status;
	pid_t pid;

	/* The build may lie where only root comes to. */
	ck_assert_int_eq(system(text("cp %s %s", daemon_program(), program)), 0);
	ck_assert_int_eq(chown(folder, OTHER_UID, OTHER_UID), 0);
	/* The daemon's other folder lies beside this one. */
	ck_assert_int_eq(chmod(text("%.*s", (int)(strrchr(folder, '/') - folder), folder), 0777), 0);
	pid = fork();
	if (pid == 0) {
		if (setgid(OTHER_UID) < 0 || setuid(OTHER_UID) < 0)
			die("setuid: %s", strerror(errno));
		server = daemon_start(&(struct daemon_options) {
			.path = program, .state_dir = dir_path(folder, "state") });
		wire = daemon_connect(server);
		json_object_put(wire_call(wire, "Drain", "{}"));
		if (!is_draining())
			die("it does not drain");
		json_object_put(wire_call(wire, "Drain", "{'undo':true}"));
		_exit(daemon_stop(server));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "what the other user did failed");
}
END_TEST

int main(void)
{
	if (geteuid() != 0)
		return RUN_SUITE(in_mid_run, many_times, undone, stopped);
	return RUN_SUITE(in_mid_run, many_times, undone, stopped, of_the_system, of_a_user);
}
