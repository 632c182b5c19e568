/*
 * A daemon that is killed again and again under those who watch it. Each comes back with the last
 * sequence, or the cursor, that it was told, and ends with the complete log, once and in order, as
 * it is listed, and with the same changes as all others. ELLU_TEST_SEED repeats a run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/harness/suite.h"
#include "tests/harness/trail.h"

#define ROWS 1000
#define LINES_EXPECTED (ROWS * 6 / 10)
#define KILLS 20
#define WATCHERS 5

static struct daemon *server;
static int64_t task_id;
static struct trail *trails[WATCHERS];
static struct wire *wires[WATCHERS];
static struct monitor_trail monitor;
static struct wire *monitor_wire;

static void begin(void)
{
	const char *given = getenv("ELLU_TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	struct sim *sim = sim_start((const char *[]) {
		"--content_filter_rate=0.6", "--latency_seconds=0.005", NULL });

	fprintf(stderr, "ELLU_TEST_SEED=%u\n", seed);
	srandom(seed);
	server = daemon_start(NULL);
	monitor_wire = daemon_connect(server);
	wire_start(monitor_wire, "'more':true", "Monitor", "{}");
	task_id = experiment_submit(daemon_connect(server), &(struct experiment) {
		.rows = ROWS, .url = sim_url(sim), .max_connections = 4 });
	for (int i = 0; i < WATCHERS; i++)
		trails[i] = trail_new(task_id, 0);
}

static void connect_watchers(void)
{
	for (int i = 0; i < WATCHERS; i++) {
		wires[i] = daemon_connect(server);
		wire_start(wires[i], "'more':true", "WatchTask", "{'id':%lld,'after_sequence':%lld}",
			   (long long)task_id, (long long)trails[i]->last);
	}
}

static void connect_monitor(void)
{
	monitor_wire = daemon_connect(server);
	if (monitor.cursor[0])
		wire_start(monitor_wire, "'more':true", "Monitor", "{'cursor':'%s'}", monitor.cursor);
	else
		wire_start(monitor_wire, "'more':true", "Monitor", "{}");
}

/* One message; false: the connection has ended. */
static bool take(struct wire *wire, struct trail *trail)
{
	const char *message;
	json_object *reply;

	switch (wire_receive(wire, WAIT_SECONDS, &message)) {
	case WIRE_CLOSED:
		return false;
	case WIRE_SILENT:
		die("a watcher is told nothing");
	case WIRE_MESSAGE:
		break;
	}
	reply = json_must_parse(message);
	if (trail)
		trail_take(trail, at_json(reply, "parameters.event"));
	else
		monitor_trail_take(&monitor, at_json(reply, "parameters"));
	json_object_put(reply);
	return true;
}

/* What the dead daemon had sent is told as well. */
static void take_rest(void)
{
	for (int i = 0; i < WATCHERS; i++) {
		while (!trail_has_ended(trails[i]) && take(wires[i], trails[i]))
			;
		wire_close(wires[i]);
	}
	while (take(monitor_wire, NULL))
		;
	wire_close(monitor_wire);
}

/* Waits until one of them has been told some more. */
static void await_news(int n_left)
{
	struct trail *trail = trails[random() % WATCHERS];
	struct wire *wire = NULL;
	int64_t share = (LINES_EXPECTED - trail->last) / (n_left + 2);
	int64_t wanted = trail->last + 1 + (share > 0 ? random() % (2 * share) : 0);

	for (int i = 0; i < WATCHERS; i++)
		if (trails[i] == trail)
			wire = wires[i];
	while (trail->last < wanted)
		if (!take(wire, trail))
			die("the daemon closed a watcher's connection");
}

static void check(const struct trail *trail, const char *logs)
{
	ck_assert_str_eq(trail->logs, logs);
	ck_assert_str_eq(trail->states, trails[0]->states);
	ck_assert_str_eq(trail->status, "SUCCESS");
}

START_TEST(watched_over_kills)
{
	struct trail *seen;
	char *logs;

	begin();
	connect_watchers();
	for (int i = 1; i <= KILLS; i++) {
		await_news(KILLS - i);
		daemon_kill(server);
		take_rest();
		daemon_restart(server);
		connect_watchers();
		connect_monitor();
	}
	for (int i = 0; i < WATCHERS; i++)
		while (!trail_has_ended(trails[i]))
			ck_assert(take(wires[i], trails[i]));
	while (!(seen = monitor_trail_find(&monitor, task_id)) || !trail_has_ended(seen))
		ck_assert(take(monitor_wire, NULL));
	logs = task_logs(daemon_connect(server), task_id);
	for (int i = 0; i < WATCHERS; i++)
		check(trails[i], logs);
	check(seen, logs);
	ck_assert_int_eq(seen->first, 1);
	ck_assert_int_eq(trails[0]->last, at_int(task_get(daemon_connect(server), task_id), "sequence"));
	fprintf(stderr, "%d kills: %zu bytes of log, changes: %s\n", KILLS, strlen(logs), seen->states);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(watched_over_kills);
}
