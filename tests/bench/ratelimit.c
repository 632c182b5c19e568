/*
 * How near a run comes to what an endpoint allows, when nothing says how much that is: it lets so
 * many calls a second through and refuses what is beyond, asking for a pause. The ideal is as many
 * calls at just that rate. No call may fail, and few may be refused.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "tests/bench/bench.h"
#include "tests/harness/daemon.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/sim.h"

#define N_CASES 200
#define N_CALLS (N_CASES * (1 + BENCH_CRITERIA))
#define N_CONNECTIONS 32
#define CALLS_PER_SECOND 30
#define WALL_BOUND 1.05
#define REFUSED_BOUND 0.02

int main(void)
{
	static const char *const settings[] = { "--latency_seconds=0.05", "--rate_limit=30",
						"--rate_window_seconds=1",
						"--retry_after_seconds=1", NULL };
	const double ideal = (double)N_CALLS / CALLS_PER_SECOND;
	struct sim *sim = sim_start(settings);
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	char *experiment = bench_experiment("Ratelimit", sim_url(sim), N_CONNECTIONS, "");
	int64_t answered, refused;
	json_object *stats;
	double begin, wall;
	bool good;

	bench_upload_rows(wire, "Ratelimit", N_CASES);
	begin = now_seconds();
	bench_run_experiment(wire, experiment);
	wall = now_seconds() - begin;

	stats = sim_stats(sim);
	answered = at_int(stats, "by_status.200");
	refused = at_int(stats, "by_status.429");
	if (answered != N_CALLS || at_int(stats, "calls") != answered + refused)
		die("%" PRId64 " answers of %d, and %" PRId64 " refusals: this is no measurement",
		    answered, N_CALLS, refused);
	json_object_put(stats);
	free(experiment);
	wire_close(wire);
	daemon_kill(daemon);
	sim_stop(sim);

	good = bench_figure("ratelimit", wall / ideal, BENCH_AT_MOST, WALL_BOUND,
			    "%.2f s for %d calls, ideal %.2f s", wall, N_CALLS, ideal);
	good &= bench_figure("refused", (double)refused / N_CALLS, BENCH_AT_MOST, REFUSED_BOUND,
			     "%" PRId64 " refusals", refused);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
