/*
 * REVOKED: cancels of tasks in each state they can be in, and a daemon that takes its tasks with
 * it. (Cancels of calls in flight and of streams that are left are in stop_test.)
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/suite.h"

static struct daemon *server;
static struct sim *sim;
static struct wire *wire;

static json_object *cancel(int64_t id)
{
	return at_json(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id), "task");
}

static int64_t submit(const char *name, const char *more)
{
	return experiment_submit(wire, &(struct experiment) {
		.name = name, .rows = 5, .url = sim_url(sim), .max_connections = 2, .more = more });
}

static void begin(const char *config, const char *const *environment)
{
	server = daemon_start(&(struct daemon_options) { .config = config,
							 .environment = environment });
	sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	wire = daemon_connect(server);
}

/* It never starts, and whoever watches it sees that. */
START_TEST(waiting)
{
	struct wire *watcher;
	int64_t first, id;

	begin("[queue]\nmax_running = 1\n", NULL);
	first = submit("First", NULL);
	id = submit("Second", NULL);
	sim_await(sim, "in_flight", 2);
	watcher = daemon_connect(server);
	wire_start(watcher, "'more':true", "WatchTask", "{'id':%lld}", (long long)id);
	ck_assert_str_eq(at_text(wire_next(watcher), "parameters.event.status"), "PENDING");
	ck_assert_str_eq(at_text(cancel(id), "status"), "REVOKED");
	ck_assert_str_eq(at_text(wire_next(watcher), "parameters.event.status"), "REVOKED");
	ck_assert_str_eq(at_text(cancel(id), "status"), "REVOKED");
	task_must_have_been(server, id, "PENDING REVOKED");
	ck_assert_int_eq(database_int(server, "SELECT attempts FROM tasks WHERE id = %lld",
				      (long long)id), 0);
	/* The one that runs does not notice, and nobody else takes the place. */
	ck_assert_str_eq(at_text(task_get(wire, first), "status"), "STARTED");
	ck_assert_str_eq(at_text(cancel(first), "status"), "REVOKED");
	sim_await(sim, "closed_early", 2);
	ck_assert_int_eq(sim_stat(sim, "calls"), 2);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* What has ended stays as it ended. */
START_TEST(ended)
{
	int64_t id, sequence;

	begin(NULL, NULL);
	sim_control(sim, "{'hang_rate':0}");
	id = submit("Done", NULL);
	json_object_put(task_await_status(server, id, "SUCCESS"));
	sequence = at_int(task_get(wire, id), "sequence");
	ck_assert_str_eq(at_text(cancel(id), "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task_get(wire, id), "sequence"), sequence);
	task_must_have_been(server, id, "PENDING STARTED SUCCESS");
	json_object_put(wire_refused(wire, "NotFound", "CancelTask", "{'id':999}"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A lookup that hangs for an hour holds up neither the cancel nor the daemon's end. */
START_TEST(hung_lookup)
{
	int64_t id;

	begin(NULL, (const char *[]) { "LD_PRELOAD=" ELLU_HANG_RESOLVER, "HANG_SECONDS=3600", NULL });
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 5, .url = "http://model.hang.invalid/v1", .max_connections = 2 });
	while (at_count(wire_call(wire, "GetStatus", "{}"), "endpoints") == 0)
		;
	ck_assert_str_eq(at_text(cancel(id), "status"), "REVOKED");
	task_must_have_been(server, id, "PENDING STARTED REVOKED");
	/* Another task is served as if nothing were. */
	sim_control(sim, "{'hang_rate':0}");
	json_object_put(task_await_status(server, submit("Other", NULL), "SUCCESS"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

static void must_be_revoked_by_the_stop(int64_t id, const char *history)
{
	json_object *task = task_await_status(server, id, "REVOKED");

	ck_assert_str_eq(at_text(task, "error.code"), "ShuttingDown");
	ck_assert_msg(strstr(at_text(task, "error.message"), "stopped"), "%s",
		      json_object_to_json_string(task));
	task_must_have_been(server, id, history);
}

static void must_be_told_the_end(struct wire *watcher)
{
	json_object *last = NULL;
	const char *message;

	while (wire_receive(watcher, WAIT_SECONDS, &message) == WIRE_MESSAGE)
		last = json_must_parse(message);
	ck_assert_ptr_nonnull(last);
	ck_assert_str_eq(at_text(last, "parameters.event.status"), "REVOKED");
	ck_assert_str_eq(at_text(last, "parameters.event.error.code"), "ShuttingDown");
}

/* on_shutdown = revoke: what runs and what waits ends, calls in flight are aborted at once. */
START_TEST(daemon_stops)
{
	struct wire *watchers[2];
	int64_t ids[3], calls;

	begin("[daemon]\non_shutdown = revoke\nshutdown_grace_seconds = 3600\n"
	      "[queue]\nmax_running = 2\n", NULL);
	ids[0] = submit("A", NULL);
	ids[1] = submit("B", NULL);
	ids[2] = submit("C", NULL);
	sim_await(sim, "in_flight", 2);
	calls = sim_stat(sim, "calls");
	for (int i = 0; i < 2; i++) {
		watchers[i] = daemon_connect(server);
		wire_start(watchers[i], "'more':true", "WatchTask", "{'id':%lld}",
			   (long long)ids[2 * i]);
		ck_assert_str_eq(at_text(wire_next(watchers[i]), "parameters.event.status"),
				 i == 0 ? "STARTED" : "PENDING");
	}
	/* Within no grace period, and nothing answers. */
	daemon_signal(server, SIGTERM);
	ck_assert_int_eq(daemon_wait(server, WAIT_SECONDS), 0);
	for (int i = 0; i < 2; i++)
		must_be_told_the_end(watchers[i]);
	sim_await(sim, "closed_early", 2);
	sim_control(sim, "{'hang_rate':0}");
	daemon_restart(server);
	wire = daemon_connect(server);
	must_be_revoked_by_the_stop(ids[0], "PENDING STARTED REVOKED");
	must_be_revoked_by_the_stop(ids[1], "PENDING STARTED REVOKED");
	must_be_revoked_by_the_stop(ids[2], "PENDING REVOKED");
	ck_assert_int_eq(sim_stat(sim, "calls"), calls);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A stream begins, and its task ends before the first event is there: it is told both. */
START_TEST(stream_begins_at_the_stop)
{
	const char *gate = dir_path(dir_new(), "gate"), *ended_line;
	struct wire *watcher;
	int64_t id;
	int fd;

	begin("[daemon]\non_shutdown = revoke\n[queue]\nmax_running = 1\n",
	      (const char *[]) { "LD_PRELOAD=" ELLU_READER_GATE, text("READER_GATE=%s", gate),
				 NULL });
	(void)submit("Runs", NULL);
	id = submit("Waits", NULL);
	sim_await(sim, "in_flight", 2);
	watcher = daemon_connect(server);
	ck_assert_int_eq(mkfifo(gate, 0600), 0);
	wire_start(watcher, "'more':true", "WatchTask", "{'id':%lld,'after_sequence':0}", (long long)id);
	fd = open(gate, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(unlink(gate), 0);
	daemon_signal(server, SIGTERM);
	ended_line = text("task %lld ended", (long long)id);
	while (!strstr(daemon_log(server), ended_line))
		;
	close(fd);
	ck_assert_int_eq(daemon_wait(server, WAIT_SECONDS), 0);
	must_be_told_the_end(watcher);
}
END_TEST

/* That is for orderly ends alone. */
START_TEST(not_by_a_kill)
{
	int64_t id;

	begin("[daemon]\non_shutdown = revoke\n", NULL);
	id = submit("A", NULL);
	sim_await(sim, "in_flight", 2);
	daemon_kill(server);
	sim_control(sim, "{'hang_rate':0}");
	daemon_restart(server);
	json_object_put(task_await_status(server, id, "SUCCESS"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(wrong_word)
{
	struct daemon *failed;
	int status = daemon_start_failing(&(struct daemon_options) {
		.config = "[daemon]\non_shutdown = never\n" }, &failed);

	ck_assert_int_eq(status, 2);
	ck_assert_msg(strstr(daemon_log(failed), "on_shutdown: expected resume or revoke"), "%s",
		      daemon_log(failed));
	status = daemon_start_failing(&(struct daemon_options) {
		.config = "[daemon]\nlog_level = loud\n" }, &failed);
	ck_assert_int_eq(status, 2);
	ck_assert_msg(strstr(daemon_log(failed),
			     "log_level: expected error, warning, notice, info or debug"), "%s",
		      daemon_log(failed));
	status = daemon_start_failing(&(struct daemon_options) {
		.arguments = (const char *[]) { "--log-level=loud", NULL } }, &failed);
	ck_assert_int_eq(status, 2);
	ck_assert_msg(strstr(daemon_log(failed), "--log-level: expected error"), "%s",
		      daemon_log(failed));
}
END_TEST

int main(void)
{
#if SLOW_BUILD
	/* What is preloaded would come before the sanitizer. */
	(void)hung_lookup;
	(void)stream_begins_at_the_stop;
	return RUN_SUITE(waiting, ended, daemon_stops, not_by_a_kill, wrong_word);
#else
	return RUN_SUITE(waiting, ended, hung_lookup, daemon_stops, stream_begins_at_the_stop,
			 not_by_a_kill, wrong_word);
#endif
}
