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
#define BOUND 1.03

static struct bench_wall measure(void)
{
	static const char *const settings[] = { "--latency_seconds=0.05", NULL };
	struct sim *sim = sim_start(settings);
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	char *experiment = bench_experiment("Pipeline", sim_url(sim), N_CONNECTIONS,
					    BENCH_LIMITS);
	struct bench_wall seen = { 0 };
	json_object *stats;
	double begin;

	bench_upload_rows(wire, "Pipeline", N_CASES);
	begin = now_seconds();
	bench_run_experiment(wire, experiment);
	seen.wall = now_seconds() - begin;

	stats = sim_stats(sim);
	seen.n_calls = (uint64_t)at_int(stats, "calls");
	seen.latency = at_number(stats, "mean_latency_seconds");
	if (seen.n_calls != N_CALLS || seen.latency < LATENCY_SECONDS ||
	    seen.latency > LATENCY_SECONDS_MAX)
		die("%" PRIu64 " calls of %d, of %.2f ms: this is no measurement", seen.n_calls, N_CALLS,
		    seen.latency * 1e3);
	seen.ideal = (double)bench_rounds(seen.n_calls, N_CONNECTIONS) * seen.latency;
	json_object_put(stats);
	free(experiment);
	wire_close(wire);
	daemon_kill(daemon);
	sim_stop(sim);
	return seen;
}

int main(void)
{
	struct bench_wall best = bench_least(measure);

	return bench_figure("pipeline", best.wall / best.ideal, BENCH_AT_MOST, BOUND,
			    "the least of %d runs; %.3f s for %d calls of %.2f ms, ideal %.3f s",
			    BENCH_RUNS, best.wall, N_CALLS, best.latency * 1e3, best.ideal) ?
		       EXIT_SUCCESS :
		       EXIT_FAILURE;
}
