/*
 * How near a run comes to what the endpoint's latency and the allowed concurrency dictate: its
 * wall time over as many rounds of calls as there must be, each as long as the endpoint itself
 * measured a call. A run with other calls than those, or an endpoint that was not as slow as it was
 * to be, measures nothing.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "tests/bench/bench.h"
#include "tests/harness/daemon.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/sim.h"

#define N_CASES 2000
#define N_CONNECTIONS 64
#define N_CALLS (N_CASES * (1 + BENCH_CRITERIA))
#define LATENCY_SECONDS 0.05
#define LATENCY_SECONDS_MAX 0.06 // as the endpoint measured it
#define BOUND 1.05

int main(void)
{
	static const char *const settings[] = { "--latency_seconds=0.05", NULL };
	struct sim *sim = sim_start(settings);
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	char *experiment = bench_experiment("Pipeline", sim_url(sim), N_CONNECTIONS);
	double begin, wall, latency, ideal;
	json_object *stats;
	uint64_t n_calls;
	bool ok;

	bench_upload_rows(wire, "Pipeline", N_CASES);
	begin = now_seconds();
	bench_run_experiment(wire, experiment);
	wall = now_seconds() - begin;

	stats = sim_stats(sim);
	n_calls = (uint64_t)at_int(stats, "calls");
	latency = at_number(stats, "mean_latency_seconds");
	if (n_calls != N_CALLS || latency < LATENCY_SECONDS || latency > LATENCY_SECONDS_MAX)
		die("%" PRIu64 " calls of %d, of %.2f ms: this is no measurement", n_calls, N_CALLS,
		    latency * 1e3);
	ideal = (double)bench_rounds(n_calls, N_CONNECTIONS) * latency;
	ok = bench_figure("pipeline", wall / ideal, BENCH_AT_MOST, BOUND,
			  "%.3f s for %" PRIu64 " calls of %.2f ms, ideal %.3f s", wall, n_calls,
			  latency * 1e3, ideal);
	daemon_kill(daemon);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
