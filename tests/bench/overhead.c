/*
 * What a call costs the daemon with everything on (durable, with events, watched, with limits and
 * prices), over what the same bodies cost a bare libcurl multi handle at the same endpoint.
 */
#include <inttypes.h>
#include <math.h>
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
#define N_PASSES 5
#define BOUND 2.5

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

/* What the daemon takes for an experiment, and how many calls that was. */
static double daemon_cpu_seconds(struct daemon *daemon, const struct sim *sim, unsigned pass,
				 uint64_t *ret_n_calls)
{
	const char *name = text("Overhead %u", pass);
	struct wire *wire = daemon_connect(daemon);
	double cpu, before;

	bench_upload_rows(wire, name, N_CASES);
	before = sim_stat(sim, "calls");
	cpu = bench_cpu_seconds(daemon_pid(daemon));
	bench_run_experiment(wire, bench_experiment(name, sim_url(sim), N_CONNECTIONS,
						    BENCH_LIMITS));
	cpu = bench_cpu_seconds(daemon_pid(daemon)) - cpu;
	*ret_n_calls = (uint64_t)(sim_stat(sim, "calls") - before);
	wire_close(wire);
	return cpu;
}

int main(void)
{
	static const char *const settings[] = { "--keep-requests=1000", NULL };
	struct sim *sim = sim_start(settings);
	struct daemon *daemon = daemon_start(NULL);
	double ratios[N_PASSES], cpu = INFINITY, bare = INFINITY;
	uint64_t n_calls;
	bool ok;

	/* In turn: what else the machine does adds to both of a pair alike. */
	for (unsigned pass = 0; pass < N_PASSES; pass++) {
		double daemons = daemon_cpu_seconds(daemon, sim, pass, &n_calls);
		double bares = bare_cpu_seconds(sim, n_calls);

		ratios[pass] = daemons / bares;
		cpu = fmin(cpu, daemons / (double)n_calls);
		bare = fmin(bare, bares / (double)n_calls);
	}
	ok = bench_figure("overhead", bench_median(ratios, N_PASSES), BENCH_AT_MOST, BOUND,
			  "the median of %d times %" PRIu64 " calls; at least %.1f us a call, bare "
			  "%.1f us", N_PASSES, n_calls, cpu * 1e6, bare * 1e6);
	daemon_kill(daemon);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
