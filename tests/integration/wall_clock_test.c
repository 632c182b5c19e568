/*
 * The wall clock jumps by a day, forward and back, while tasks run and wait: no time limit moves,
 * and what is ordered stays in order. Only what is shown as a time follows it.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/http.h"
#include "tests/harness/suite.h"

#define DAY INT64_C(86400)

static struct daemon *server;
static struct sim *sim;
static struct wire *wire;
static const char *clock_path;

static void set_clock(int64_t offset_seconds)
{
	int fd = open(clock_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	ck_assert_int_eq(pwrite(fd, &offset_seconds, sizeof(offset_seconds), 0),
			 sizeof(offset_seconds));
	close(fd);
}

static void begin(const char *config, const char *const *settings)
{
	clock_path = dir_path(dir_new(), "offset");
	set_clock(0);
	server = daemon_start(&(struct daemon_options) {
		.config = config,
		.arguments = (const char *const[]) { "--http", "127.0.0.1:0", NULL },
		.environment = (const char *[]) { "LD_PRELOAD=" ELLU_WALL_CLOCK,
						  text("WALL_CLOCK=%s", clock_path), NULL } });
	sim = sim_start(settings);
	wire = daemon_connect(server);
}

/* How many days apart two tasks were made, as the daemon has it. */
static int64_t days_between(int64_t first, int64_t second)
{
	return database_int(server, "SELECT CAST(round((b.created_at - a.created_at) / 86400e6) AS INTEGER)"
				    " FROM tasks a, tasks b WHERE a.id = %lld AND b.id = %lld",
			    (long long)first, (long long)second);
}

static void await_running(int64_t id, double seconds)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	while (at_number(task_get(wire, id), "running_seconds") < seconds) {
		ck_assert_double_lt(now_seconds(), deadline);
		(void)poll(NULL, 0, 20);
	}
}

/* Neither at once nor never. */
START_TEST(time_limits)
{
	static const int64_t jumps[] = { DAY, -DAY };
	json_object *task;
	double start;
	int64_t id;

	begin(NULL, (const char *[]) { "--hang_rate=1", NULL });
	for (int i = 0; i < 2; i++) {
		set_clock(0);
		start = now_seconds();
		id = experiment_submit(wire, &(struct experiment) {
			.name = text("E%d", i), .rows = 3, .url = sim_url(sim),
			.more = "'time_limit_seconds':1.5" });
		await_running(id, 0.3);
		set_clock(jumps[i]);
		task = task_await_status(server, id, "TIMEOUT");
		ck_assert_double_ge(now_seconds() - start, 1.5);
		ck_assert_double_ge(at_number(task, "running_seconds"), 1.5);
		ck_assert_double_lt(at_number(task, "running_seconds"), 60);
	}
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Nor what a killed daemon's task is held to have run for. */
START_TEST(time_limit_over_a_kill)
{
	static const int64_t jumps[] = { DAY, -DAY };
	int64_t id, experiment_id, usec, recorded;

	begin(NULL, (const char *[]) { "--latency_seconds=0.01", NULL });
	for (int i = 0; i < 2; i++) {
		set_clock(0);
		id = experiment_submit(wire, &(struct experiment) {
			.name = text("E%d", i), .rows = 900, .url = sim_url(sim), .max_connections = 1,
			.more = "'time_limit_seconds':3600" });
		experiment_id = at_int(task_get(wire, id), "experiment_id");
		recorded = experiment_await_recorded(wire, id, experiment_id, 10);
		set_clock(jumps[i]);
		experiment_await_recorded(wire, id, experiment_id, recorded + 10);
		daemon_kill(server);
		daemon_restart(server);
		wire = daemon_connect(server);
		usec = database_int(server, "SELECT running_usec FROM tasks WHERE id = %lld",
				    (long long)id);
		ck_assert_int_gt(usec, 0);
		ck_assert_int_lt(usec, 3600 * INT64_C(1000000));
		json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id));
		task_must_have_been(server, id, "PENDING STARTED PENDING STARTED REVOKED");
	}
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

static void must_be_ascending(const char *sql)
{
	char *numbers = database_text(server, "%s", sql);
	int64_t last = -1;

	ck_assert_uint_gt(strlen(numbers), 0);
	for (char *at = strtok(numbers, " "); at; at = strtok(NULL, " ")) {
		int64_t number = strtoll(at, NULL, 10);

		ck_assert_int_gt(number, last);
		last = number;
	}
}

/* Five tasks one after the other, each submitted on another day than the one before. */
START_TEST(orders)
{
	static const int64_t days[] = { 0, 1, -1, 2, -2 };
	enum { N = 5 };
	int64_t ids[N], sequence = 0;
	json_object *tasks;
	bool continues = true;

	begin("[queue]\nmax_running = 1\n",
	      (const char *[]) { "--latency_seconds=0.05", "--content_filter_rate=0.3", NULL });
	for (int i = 0; i < N; i++) {
		set_clock(days[i] * DAY);
		ids[i] = experiment_submit(wire, &(struct experiment) {
			.name = text("E%d", i), .rows = 20, .url = sim_url(sim), .max_connections = 2 });
	}
	/* The jumps were seen. */
	for (int i = 1; i < N; i++)
		ck_assert_int_eq(days_between(ids[0], ids[i]), days[i]);
	/* A watcher of the last one, while the clock goes on jumping. */
	wire_start(wire, "'more':true", "WatchTask", "{'id':%lld,'after_sequence':0}",
		   (long long)ids[N - 1]);
	for (int i = 0; continues; i++) {
		json_object *reply = wire_next(wire);

		ck_assert_int_ge(at_int(reply, "parameters.event.sequence"), sequence);
		sequence = at_int(reply, "parameters.event.sequence");
		continues = at_has(reply, "continues");
		set_clock(days[i % N] * DAY);
	}
	/* Claims went in the order of the submissions, and so did the ends. */
	must_be_ascending("SELECT group_concat(task_id, ' ') FROM (SELECT task_id FROM task_events"
			  " WHERE status = 'STARTED' AND line IS NULL ORDER BY number)");
	must_be_ascending("SELECT group_concat(task_id, ' ') FROM (SELECT task_id FROM task_events"
			  " WHERE status = 'SUCCESS' AND line IS NULL ORDER BY number)");
	for (int i = 0; i < N; i++) {
		task_must_have_been(server, ids[i], "PENDING STARTED SUCCESS");
		must_be_ascending(text("SELECT group_concat(number, ' ') FROM (SELECT number FROM"
				       " task_events WHERE task_id = %lld ORDER BY sequence)",
				       (long long)ids[i]));
	}
	/* Lists are newest first, by what came last and not by what says it did. */
	wire = daemon_connect(server);
	tasks = list_all(wire, "ListTasks", "%s", "");
	ck_assert_uint_eq(json_object_array_length(tasks), N);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(at_int(tasks, text("%d.id", i)), ids[N - 1 - i]);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A token ends by the clock on the wall, and is none then. */
START_TEST(tokens)
{
	struct http_peer *peer;
	const char *url, *secret;

	begin(NULL, (const char *[]) { NULL });
	url = text("%s", at_text(wire_call(wire, "GetStatus", "{}"), "front.http"));
	secret = text("%s", at_text(wire_call(wire, "CreateToken", "{'name':'t','expires_in_seconds':43200}"),
				    "secret"));
	peer = http_open(url);
	http_set_headers(peer, text("Authorization: Bearer %s\r\n", secret));
	http_json(peer, 200, "GET", "/api/v1/ListTasks", NULL);
	set_clock(DAY);
	http_json(peer, 401, "GET", "/api/v1/ListTasks", NULL);
	http_close(peer);
	ck_assert_int_eq(daemon_stop(server), 0);
	sim_stop(sim);
}
END_TEST

int main(void)
{
#if SLOW_BUILD
	/* What is preloaded would come before the sanitizer. */
	(void)time_limits, (void)time_limit_over_a_kill, (void)orders, (void)tokens;
	return EXIT_SKIPPED;
#else
	return RUN_SUITE(time_limits, time_limit_over_a_kill, orders, tokens);
#endif
}
