/*
 * What a small interactive task of one user costs while others keep the endpoint busy: a user
 * with a hundred large tasks and one with a batch of a million cases. Each of its two stages,
 * answers and verdicts, may wait for the next slot, which is free within the endpoint's latency.
 * The median of some rounds, and the worst of them, over what is allowed: where each user has
 * connections enough, and where those of all together are scarce.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/harness/daemon.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/sim.h"
#include "tests/harness/users.h"

#define N_CONNECTIONS 8
#define N_STAGES 2
#define N_CALLS 12 // of all users at once, where those are scarce
#define WORST_MAX 1.0
#define N_ROUNDS 20
#define N_ALONE 9
#define N_BUSY_CALLS 300 // of the others, before the first round

#define UID_LARGE 65001
#define N_LARGE_TASKS 100
#define LARGE_ROWS 1000
#define LARGE_EPOCHS 50

#define UID_BATCH 65002
#define BATCH_ROWS 1000
#define BATCH_EPOCHS 1000

#define UID_SMALL 65003
#define SMALL_ROWS 2

/* Parameters of RunExperiment; the first of a user defines what the later ones refer to. */
static char *experiment(const char *name, const char *priority, unsigned n_epochs, const char *more)
{
	return quoted("{'name':'%s','priority':'%s','n_epochs':%u,'collection':{'ref':{'name':'Rows'}},"
		      "'prompt_template':{'content':{'name':'Haiku','messages':[{'role':'user',"
		      "'content':'Write a haiku about {{topic}}.'}]}},"
		      "'criteria':['Is it about {{topic}}?'],'llm_config':{'ref':{'name':'endpoint'}}"
		      "%s}",
		      name, priority, n_epochs, more);
}

static struct wire *become(const struct daemon *daemon, uid_t uid, const struct sim *sim,
			   unsigned n_rows)
{
	struct wire *wire = connect_as(daemon, uid);

	bench_upload_rows(wire, "Rows", n_rows);
	json_object_put(wire_call(wire, "CreateLLMConfig",
				  "{'llm_config':{'name':'endpoint','provider':'openai',"
				  "'llm_model_name':'model','llm_base_url':'%s',"
				  "'max_connections':%u}}",
				  sim_url(sim), N_CONNECTIONS));
	return wire;
}

static void submit(struct wire *wire, const char *name, const char *priority, unsigned n_epochs)
{
	json_object_put(wire_call(wire, "RunExperiment", "%s",
				  experiment(name, priority, n_epochs, ",\"detach\":true")));
}

static double small_seconds(struct wire *wire, const char *name)
{
	double begin = now_seconds();

	bench_run_experiment(wire, experiment(name, "interactive", 1, ""));
	return now_seconds() - begin;
}

static double alone_seconds(struct wire *wire)
{
	double alone[N_ALONE];

	for (int i = 0; i < N_ALONE; i++)
		alone[i] = small_seconds(wire, text("Alone %d", i));
	return bench_median(alone, N_ALONE);
}

static void make_busy(const struct daemon *daemon, const struct sim *sim)
{
	struct wire *large = become(daemon, UID_LARGE, sim, LARGE_ROWS);
	struct wire *batch = become(daemon, UID_BATCH, sim, BATCH_ROWS);

	submit(batch, "Batch", "batch", BATCH_EPOCHS);
	for (int i = 0; i < N_LARGE_TASKS; i++)
		submit(large, text("Large %d", i), "normal", LARGE_EPOCHS);
	sim_reset(sim);
	sim_await(sim, "calls", N_BUSY_CALLS);
}

static bool measure(const char *name, const char *config, int64_t n_in_flight)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.1", NULL });
	struct daemon *daemon = daemon_start_system_with(config);
	struct wire *small = become(daemon, UID_SMALL, sim, SMALL_ROWS);
	double alone, busy[N_ROUNDS], worst = 0, median, latency, allowed;
	json_object *stats;
	bool ok;

	(void)small_seconds(small, "Warm");
	alone = alone_seconds(small);
	make_busy(daemon, sim);
	for (int i = 0; i < N_ROUNDS; i++) {
		busy[i] = small_seconds(small, text("Busy %d", i));
		worst = busy[i] > worst ? busy[i] : worst;
	}
	median = bench_median(busy, N_ROUNDS);
	stats = sim_stats(sim);
	latency = at_number(stats, "mean_latency_seconds");
	if (at_int(stats, "max_in_flight") < n_in_flight)
		die("the endpoint was not busy: %s", json_object_to_json_string(stats));
	allowed = alone + N_STAGES * latency;
	ok = bench_figure(name, median / allowed, BENCH_AT_MOST, 1.0,
			  "%.1f ms beside %d tasks and a batch of %d cases, median of %d; alone "
			  "%.1f ms, latency %.1f ms",
			  median * 1e3, N_LARGE_TASKS, BATCH_ROWS * BATCH_EPOCHS, N_ROUNDS,
			  alone * 1e3, latency * 1e3);
	ok &= bench_figure(text("%s worst", name), worst / allowed, BENCH_AT_MOST, WORST_MAX,
			   "%.1f ms, the worst of them", worst * 1e3);
	daemon_kill(daemon);
	return ok;
}

int main(void)
{
	bool ok;

	if (geteuid() != 0)
		die("root is needed, to be several users");
	/* The two who are busy use what their configs allow, and what the others leave of the cap. */
	ok = measure("fairness", NULL, 2 * N_CONNECTIONS);
	ok &= measure("fairness of cap", text("[queue]\nmax_calls = %d\n", N_CALLS), N_CALLS / 2);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
