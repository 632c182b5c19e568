/*
 * What a call costs the daemon with everything on (durable, with events, watched), over what the
 * same bodies cost a bare libcurl multi handle at the same endpoint.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "tests/bench/bare_http.h"
#include "tests/bench/bench.h"
#include "tests/harness/daemon.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/sim.h"

#define N_CASES 7000 // three calls each
#define N_CONNECTIONS 64
#define N_BODIES 1000
#define BOUND 4.0

/* The same bodies again: the last that the endpoint saw, in turn. */
static double bare_cpu_seconds(const struct sim *sim, uint64_t n_calls)
{
	static const char *bodies[N_BODIES];
	json_object *requests = sim_requests(sim, N_BODIES);
	struct bare_http bare = {
		.url = text("%s/chat/completions", sim_url(sim)),
		.bodies = bodies,
		.n_bodies = at_count(requests, "requests"),
		.n_connections = N_CONNECTIONS,
		.n_calls = n_calls,
	};

	for (size_t i = 0; i < bare.n_bodies; i++)
		bodies[i] = at_text(requests, text("requests.%zu.body", i));
	return bare_http_cpu_seconds(&bare);
}

int main(void)
{
	static const char *const settings[] = { "--keep-requests=1000", NULL };
	struct sim *sim = sim_start(settings);
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	char *experiment = bench_experiment("Overhead", sim_url(sim), N_CONNECTIONS);
	double cpu, bare, wall;
	uint64_t n_calls;
	bool ok;

	bench_upload_rows(wire, "Overhead", N_CASES);
	cpu = bench_cpu_seconds(daemon_pid(daemon));
	wall = now_seconds();
	bench_run_experiment(wire, experiment);
	wall = now_seconds() - wall;
	cpu = bench_cpu_seconds(daemon_pid(daemon)) - cpu;
	n_calls = (uint64_t)sim_stat(sim, "calls");
	bare = bare_cpu_seconds(sim, n_calls);
	ok = bench_figure("overhead", cpu / bare, BENCH_AT_MOST, BOUND,
			  "%.1f us a call, bare %.1f us; %" PRIu64 " calls, %.0f a second",
			  cpu / (double)n_calls * 1e6, bare / (double)n_calls * 1e6, n_calls,
			  (double)n_calls / wall);
	daemon_kill(daemon);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
