/*
 * How long it takes from sending CancelTask until who watches has seen REVOKED and the endpoint
 * has seen the last of the calls in flight closed: the worst of some rounds. Both processes tell
 * the time by the same clock.
 */
#include <stdlib.h>

#include "tests/bench/bench.h"
#include "tests/harness/daemon.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/sim.h"

#define N_ROUNDS 20
#define N_CONNECTIONS 64
#define BOUND_MILLISECONDS 50

/* Starts an experiment whose calls all hang; its task's id, once they are in flight. */
static int64_t start_hanging(struct wire *watcher, const struct sim *sim, const char *name)
{
	json_object *reply;
	int64_t id;

	wire_start(watcher, "'more':true", "RunExperiment",
		   "{'name':'%s','prompt_template':{'ref':{'name':'Haiku'}},"
		   "'collection':{'ref':{'name':'Cancel'}},'llm_config':{'ref':{'name':'endpoint'}}}",
		   name);
	reply = wire_next(watcher);
	id = at_int(reply, "parameters.event.task_id");
	json_object_put(reply);
	sim_await(sim, "in_flight", N_CONNECTIONS);
	return id;
}

static double await_revoked(struct wire *watcher)
{
	for (;;) {
		json_object *reply = wire_next(watcher);
		double now = now_seconds();
		bool ended = !at_has(reply, "continues");
		bool revoked = at_is(reply, "parameters.event.status", "REVOKED");

		if (ended && !revoked)
			die("the experiment ended: %s", json_object_to_json_string(reply));
		json_object_put(reply);
		if (revoked)
			return now;
	}
}

/* Seconds of the round. */
static double cancel(struct wire *wire, struct wire *watcher, const struct sim *sim, int round)
{
	int64_t id = start_hanging(watcher, sim, text("Cancel %d", round));
	double begin = now_seconds(), revoked, closed;
	json_object *stats;

	wire_start(wire, "", "CancelTask", "{'id':%lld}", (long long)id);
	revoked = await_revoked(watcher);
	json_object_put(wire_next(wire));
	sim_await(sim, "closed_early", (int64_t)N_CONNECTIONS * (round + 1));
	stats = sim_stats(sim);
	closed = at_number(stats, "last_closed_early_seconds");
	json_object_put(stats);
	return (revoked > closed ? revoked : closed) - begin;
}

int main(void)
{
	struct sim *sim = sim_start(NULL);
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon), *watcher = daemon_connect(daemon);
	double rounds[N_ROUNDS], worst = 0;
	bool ok;

	/* Leaves the template and the config behind for the rounds. */
	bench_upload_rows(wire, "Cancel", 2 * N_CONNECTIONS);
	bench_run_experiment(wire, bench_experiment("Cancel", sim_url(sim), N_CONNECTIONS, ""));
	sim_control(sim, "{'hang_rate':1}");
	for (int i = 0; i < N_ROUNDS; i++) {
		rounds[i] = cancel(wire, watcher, sim, i);
		worst = rounds[i] > worst ? rounds[i] : worst;
	}
	ok = bench_figure("cancel", worst * 1e3, BENCH_AT_MOST, BOUND_MILLISECONDS,
			  "ms, the worst of %d cancels of %d calls in flight; median %.3f ms",
			  N_ROUNDS, N_CONNECTIONS, bench_median(rounds, N_ROUNDS) * 1e3);
	daemon_kill(daemon);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
