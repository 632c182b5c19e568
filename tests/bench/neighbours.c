/*
 * A user beside another one who does his worst (attack.c): how much he gets done, and how long the slowest
 * hundredth of it takes, beside the attack over the same alone. Where the attack is on the front,
 * that is small calls, which are compared with a bare echo server beside the same attack as well;
 * where it is on the store or the endpoints, small tasks.
 *
 * The attackers' processes give way to all others, so that it is the daemon that is measured. What of its
 * pace an attack keeps beside the other user has a bound too: one that hardly runs proves nothing.
 *
 * The attack comes and goes a few times, so that what else the machine does meets all that is
 * compared alike; a figure is of the median of those rounds, so that what it does for a moment,
 * in which a hundredth of a round passes at once, spoils one of them and not the figure.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/attack.h"
#include "tests/bench/bench.h"
#include "tests/bench/ping_pong.h"
#include "tests/bench/processors.h"
#include "tests/harness/experiment.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/users.h"

#define ROUNDS 5
#define SECONDS 0.25 // of each measurement in a round
#define TRIPS_MAX 200000
#define THROUGHPUT_BOUND 0.45
#define WAIT_BOUND 2.5
#define ECHO_BOUND 10.0
#define RESIDENT_BOUND 256.0 // MiB
#define ATTACK_BOUND 0.05
#define TASK_ROWS 16
/* Of small calls, who calls and who answers, the daemon's loop or the bare echo, have one each. All else is on
 * either, tasks included, which all threads of the daemon have a part in. */
#define CALLER_PROCESSOR 0
#define SERVER_PROCESSOR 1

static const char get_info[] = "{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{}}";

static struct daemon *server;
static const struct attack *attack; // under way

/* ---- The good neighbour ---- */

static int call_fd, echo_fd;
static struct wire *task_wire;
static int64_t own_connections;

static void call(void)
{
	(void)ping_pong_round_trip(call_fd, get_info, sizeof(get_info), NULL);
}

static void echo(void)
{
	(void)ping_pong_round_trip(echo_fd, get_info, sizeof(get_info), NULL);
}

static void task(void)
{
	static int number;
	json_object *reply =
		wire_call(task_wire, "RunExperiment",
			  "{'name':'task %d','prompt_template':{'ref':{'name':'good'}},"
			  "'collection':{'ref':{'name':'good'}},'criteria':['Is it good?'],"
			  "'llm_config':{'ref':{'name':'good'}}}", ++number);

	if (!at_is(reply, "task.status", "SUCCESS"))
		die("%s", json_object_to_json_string(reply));
	json_object_put(reply);
}

/* Of each round: trips a second, and how long the slowest hundredth of them took. */
struct measured {
	double rates[ROUNDS];
	double waits[ROUNDS];
	size_t n;
};

static void measure(void (*trip)(void), struct measured *measured)
{
	static double trips[TRIPS_MAX]; // seconds each
	double began = now_seconds(), before = began, now = began;
	size_t n = 0;

	while (now - began < SECONDS && n < TRIPS_MAX) {
		trip();
		now = now_seconds();
		trips[n++] = now - before;
		before = now;
	}
	measured->rates[measured->n] = (double)n / (now - began);
	measured->waits[measured->n++] = bench_slowest_hundredth(trips, n);
}

/* How far an attack got. */
struct pace {
	int64_t steps;
	double seconds;
};

static double pace_rate(const struct pace *pace)
{
	return (double)pace->steps / pace->seconds;
}

/* Beside those trips, or, without any, beside nobody. */
static void measure_attack(void (*trip)(void), struct measured *measured, struct pace *pace)
{
	int64_t before = attack_steps();
	double began = now_seconds();

	if (trip)
		measure(trip, measured);
	else
		(void)poll(NULL, 0, (int)(SECONDS * 1000));
	pace->steps += attack_steps() - before;
	pace->seconds += now_seconds() - began;
}

/* ---- One beside the other ---- */

static void forget_peak(void)
{
	file_write(text("/proc/%d/clear_refs", (int)daemon_pid(server)), "5");
}

static bool print(struct measured *with, struct measured *alone, struct measured *bare,
		  struct measured *bare_alone)
{
	double with_rate = bench_median(with->rates, with->n);
	double alone_rate = bench_median(alone->rates, alone->n);
	double with_wait = bench_median(with->waits, with->n);
	double alone_wait = bench_median(alone->waits, alone->n);
	double bare_wait = bench_median(bare->waits, bare->n);
	double bare_alone_wait = bench_median(bare_alone->waits, bare_alone->n);
	bool ok;

	ok = bench_figure(text("neighbours %s rate", attack->name), with_rate / alone_rate,
			  BENCH_AT_LEAST, THROUGHPUT_BOUND, "%.0f %s a second, alone %.0f",
			  with_rate, attack->on_tasks ? "tasks" : "calls", alone_rate);
	ok &= bench_figure(text("neighbours %s p99", attack->name), with_wait / alone_wait,
			   BENCH_AT_MOST, WAIT_BOUND, "%.0f us, alone %.0f us", with_wait * 1e6,
			   alone_wait * 1e6);
	if (bare->n > 0)
		ok &= bench_figure(text("neighbours %s echo", attack->name),
				   with_wait / bare_wait, BENCH_AT_MOST, ECHO_BOUND,
				   "%.0f us, a bare echo beside it %.0f us, which is %.2f of alone",
				   with_wait * 1e6, bare_wait * 1e6, bare_wait / bare_alone_wait);
	ok &= bench_figure(text("neighbours %s MiB", attack->name),
			   (double)daemon_memory_kib(server, "VmHWM") / 1024, BENCH_AT_MOST,
			   RESIDENT_BOUND, "resident at the peak");
	return ok;
}

static int64_t n_connections(void)
{
	json_object *status = wire_call(task_wire, "GetStatus", "{}");
	int64_t n = at_int(status, "front.connections");

	json_object_put(status);
	return n;
}

/* What the daemon does yet for an attacker who is gone would be added to the next attack, and keep its
 * connections out. */
static void await_gone(void)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	experiment_await_workers_free(task_wire);
	while (n_connections() > own_connections) {
		if (now_seconds() > deadline)
			die("%s goes on without its processes", attack->name);
		(void)poll(NULL, 0, 2);
	}
}

static bool print_attack(const struct pace *beside, const struct pace *alone)
{
	return !alone->steps ||
	       bench_figure(text("neighbours %s attack", attack->name),
			    pace_rate(beside) / pace_rate(alone), BENCH_AT_LEAST, ATTACK_BOUND,
			    "%.0f steps a second, %.0f beside nobody; it gives way to all others",
			    pace_rate(beside), pace_rate(alone));
}

static void take_processors(void)
{
	if (attack->on_tasks) {
		processors_stay_anywhere(daemon_pid(server));
		processors_stay_anywhere(0);
	} else {
		processors_stay_on(daemon_pid(server), SERVER_PROCESSOR);
		processors_stay_on(0, CALLER_PROCESSOR);
	}
}

static bool beside(void)
{
	struct measured with = { .n = 0 }, alone = with, bare = with, bare_alone = with;
	struct pace pace = { 0 }, pace_alone = { 0 };
	void (*trip)(void) = attack->on_tasks ? task : call;
	bool ok;

	attack_open(attack);
	take_processors();
	forget_peak();
	for (int i = 0; i < ROUNDS; i++) {
		pid_t leader;

		measure(trip, &alone);
		if (!attack->on_tasks)
			measure(echo, &bare_alone);
		leader = attack_begin();
		(void)poll(NULL, 0, 200); // for the attack to be in full swing
		measure_attack(trip, &with, &pace);
		if (!attack->on_tasks)
			measure(echo, &bare);
		measure_attack(NULL, NULL, &pace_alone);
		attack_end(leader);
		await_gone();
	}
	attack_close();
	ok = print(&with, &alone, &bare, &bare_alone);
	return print_attack(&pace, &pace_alone) && ok;
}

static void prepare(void)
{
	struct sim *endpoint = sim_start(NULL);
	size_t reply_size;

	server = daemon_start_system();
	attacks_prepare(server, endpoint);
	bench_shared_parts(server, "good", sim_url(endpoint), TASK_ROWS, TASK_ROWS);
	task_wire = daemon_connect(server);
	call_fd = wire_fd(daemon_connect(server));
	(void)ping_pong_round_trip(call_fd, get_info, sizeof(get_info), &reply_size);
	processors_stay_on(0, SERVER_PROCESSOR);
	echo_fd = ping_pong_start(sizeof(get_info), reply_size);
	own_connections = n_connections();
}

static int usage(void)
{
	fprintf(stderr, "usage: bench-neighbours [--list | ATTACK]\n");
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : NULL;
	bool ok = true, found = false;

	if (argc > 2)
		return usage();
	if (only && strcmp(only, "--list") == 0) {
		for (size_t i = 0; i < n_attacks; i++)
			printf("%s\n", attacks[i].name);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; i < n_attacks; i++)
		found |= !only || strcmp(only, attacks[i].name) == 0;
	if (!found)
		return usage();
	if (geteuid() != 0) {
		fprintf(stderr, "neighbours: another user is needed, so root is\n");
		return EXIT_FAILURE;
	}
	prepare();
	for (attack = attacks; attack < attacks + n_attacks; attack++)
		if (!only || strcmp(only, attack->name) == 0)
			ok &= beside();
	daemon_kill(server);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
