/*
 * What gathering is for: three experiments of five cases at a slow endpoint, one after the other,
 * and all at once from one thread on one event handle.
 */
#include <stdlib.h>

#include "client/elluminate.h"
#include "tests/bench/bench.h"
#include "tests/harness/daemon.h"
#include "tests/harness/harness.h"
#include "tests/harness/sim.h"

#define N_EXPERIMENTS 3
#define N_CASES 5
#define N_CONNECTIONS 16
#define BOUND 2.9
#define LIMIT_SECONDS 60

struct plan {
	const char *names[N_EXPERIMENTS];
};

static int start(struct ellu *handle, size_t index, struct ellu_op **ret_op, void *userdata)
{
	const struct plan *plan = userdata;
	struct ellu_run_experiment_request request = ELLU_RECORD(struct ellu_run_experiment_request);
	struct ellu_template_in template = ELLU_RECORD(struct ellu_template_in);
	struct ellu_collection_in collection = ELLU_RECORD(struct ellu_collection_in);
	struct ellu_llm_config_in config = ELLU_RECORD(struct ellu_llm_config_in);
	struct ellu_ref shared = ELLU_RECORD(struct ellu_ref);

	shared.name = "Gather";
	template.ref = collection.ref = config.ref = &shared;
	request.name = plan->names[index];
	request.prompt_template = &template;
	request.collection = &collection;
	request.llm_config = &config;
	return ellu_run_experiment_stream_async(handle, &request, NULL, NULL, ret_op);
}

static double run_seconds(struct ellu *handle, struct plan *plan, size_t limit)
{
	struct ellu_op *ops[N_EXPERIMENTS];
	double begin = now_seconds();
	int r;

	for (size_t i = 0; i < N_EXPERIMENTS; i++)
		plan->names[i] = text("Gather %zu at a time, number %zu", limit, i);
	r = ellu_gather(handle, N_EXPERIMENTS, limit, start, plan, LIMIT_SECONDS, ops);
	if (r != 1)
		die("gathering ended with %d", r);
	begin = now_seconds() - begin;
	for (size_t i = 0; i < N_EXPERIMENTS; i++) {
		const struct ellu_run_experiment_reply *last;
		const struct ellu_error *error;

		r = ellu_run_experiment_result(ops[i], &last, &error);
		if (r < 0)
			die("%s", error ? error->message : ellu_strerror(r));
		if (!ellu_event_is_success(last->event))
			die("an experiment did not succeed");
		ellu_free(last);
		ellu_op_free(ops[i]);
	}
	return begin;
}

int main(void)
{
	static const char *const settings[] = { "--latency_seconds=1", NULL };
	struct sim *sim = sim_start(settings);
	struct daemon *daemon = daemon_start(NULL);
	struct plan plan;
	double sequential, concurrent;
	struct ellu *handle;
	bool ok;

	bench_shared_parts(daemon, "Gather", sim_url(sim), N_CONNECTIONS, N_CASES);
	if (ellu_open(daemon_socket(daemon), ELLU_EVENT, &handle) < 0)
		die("the daemon cannot be reached");
	sequential = run_seconds(handle, &plan, 1);
	concurrent = run_seconds(handle, &plan, N_EXPERIMENTS);
	ok = bench_figure("gather", sequential / concurrent, BENCH_AT_LEAST, BOUND,
			  "%.3f s one after the other, %.3f s at once; %d experiments of %d cases",
			  sequential, concurrent, N_EXPERIMENTS, N_CASES);
	ellu_close(handle);
	daemon_kill(daemon);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
