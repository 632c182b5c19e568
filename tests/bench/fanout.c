/*
 * A thousand watchers of one running task. Each is told every change and every log line once and
 * in order, else the benchmark dies; what they cost in processor time over the task alone, and the
 * daemon's memory, also when a thousand come late all at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/bench/bench.h"
#include "tests/bench/watchers.h"
#include "tests/harness/daemon.h"
#include "tests/harness/experiment.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/sim.h"
#include "tests/harness/trail.h"

#define N_WATCHERS 1000
#define N_CASES 1000
#define N_CONNECTIONS 16
#define N_LINES_MIN 100
#define MEMORY_BOUND_MIB 64
#define CPU_BOUND 4.0
#define TIME_BOUND 1.5

static double peak_mib(const struct daemon *daemon)
{
	return (double)daemon_memory_kib(daemon, "VmHWM") / 1024;
}

static int64_t begin(struct daemon *daemon, const struct sim *sim, const char *name)
{
	return experiment_submit(daemon_connect(daemon), &(struct experiment) {
		.name = name, .rows = N_CASES, .n_criteria = 1, .url = sim_url(sim),
		.max_connections = N_CONNECTIONS });
}

static double running_seconds(struct daemon *daemon, int64_t id)
{
	return at_number(task_await_status(daemon, id, "SUCCESS"), "running_seconds");
}

/* What a watcher of this task must have been told. */
static struct tally expected_tally(struct daemon *daemon, int64_t id)
{
	struct wire *wire = daemon_connect(daemon);
	struct trail *trail = trail_new(id, 0);
	struct tally tally = { 0 };

	wire_start(wire, "'more':true", "WatchTask", "{'id':%lld,'after_sequence':0}",
		   (long long)id);
	while (!tally.ended) {
		const char *message;
		json_object *reply;

		if (wire_receive(wire, WAIT_SECONDS, &message) != WIRE_MESSAGE)
			die("no reply");
		tally_message(&tally, message, strlen(message));
		reply = json_must_parse(message);
		trail_take(trail, at_json(reply, "parameters.event"));
		json_object_put(reply);
	}
	if (strcmp(trail->logs, task_logs(daemon_connect(daemon), id)) != 0)
		die("the log that was replayed is not the one that is listed");
	return tally;
}

/* How often they were told of progress, on the average. */
static double check(const struct watchers *watchers, const struct tally *expected)
{
	double n_progress = 0;

	for (unsigned i = 0; i < N_WATCHERS; i++) {
		const struct tally *tally = watchers_tally(watchers, i);

		if (tally->n_changes != expected->n_changes || tally->n_lines != expected->n_lines ||
		    tally->logs_hash != expected->logs_hash)
			die("watcher %u was told %lld changes and %lld lines", i,
			    (long long)tally->n_changes, (long long)tally->n_lines);
		n_progress += (double)tally->n_progress;
	}
	return n_progress / N_WATCHERS;
}

int main(void)
{
	static const char *const settings[] = { "--latency_seconds=0.02",
						"--content_filter_rate=0.2", "--seed=7", NULL };
	struct rlimit files = { .rlim_cur = N_WATCHERS + 200, .rlim_max = N_WATCHERS + 200 };
	struct sim *sim = sim_start(settings);
	struct daemon *daemon = daemon_start(NULL);
	double alone, watched, cpu_alone, cpu, peak, n_progress, late, late_peak;
	struct watchers *watchers;
	struct tally expected;
	int64_t id;
	bool ok;

	(void)setrlimit(RLIMIT_NOFILE, &files);
	alone = running_seconds(daemon, begin(daemon, sim, "alone"));
	cpu_alone = bench_cpu_seconds(daemon_pid(daemon));
	id = begin(daemon, sim, "watched");
	watchers = watchers_start(daemon, id, N_WATCHERS);
	watchers_wait(watchers);
	watched = running_seconds(daemon, id);
	cpu = bench_cpu_seconds(daemon_pid(daemon)) - cpu_alone;
	peak = peak_mib(daemon);
	expected = expected_tally(daemon, id);
	if (expected.n_lines < N_LINES_MIN)
		die("%lld lines are too few to measure", (long long)expected.n_lines);
	n_progress = check(watchers, &expected);
	late = now_seconds();
	watchers = watchers_start(daemon, id, N_WATCHERS);
	watchers_wait(watchers);
	late = now_seconds() - late;
	(void)check(watchers, &expected);
	late_peak = peak_mib(daemon);
	ok = bench_figure("fanout", cpu / cpu_alone, BENCH_AT_MOST, CPU_BOUND,
			  "%.2f s of the daemon's processor time with %d watchers, %.2f s without; each "
			  "was told %lld changes, %lld log lines, %.1f times progress",
			  cpu, N_WATCHERS, cpu_alone, (long long)expected.n_changes,
			  (long long)expected.n_lines, n_progress);
	ok &= bench_figure("fanout time", watched / alone, BENCH_AT_MOST, TIME_BOUND,
			   "%.2f s with them, %.2f s without", watched, alone);
	ok &= bench_figure("fanout memory", late_peak, BENCH_AT_MOST, MEMORY_BOUND_MIB,
			   "MiB at the peak: %.1f while the task ran, then as many watchers again who"
			   " came late and were told all of it in %.2f s", peak, late);
	daemon_kill(daemon);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
