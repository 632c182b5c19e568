/*
 * A thousand experiments of one case and one criterion, submitted and awaited from one thread on
 * one event handle: how near the wall time comes to what the endpoint dictates, what an
 * outstanding call costs in memory, and how long one turn of the handle takes the processor.
 */
#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "client/elluminate.h"
#include "tests/bench/bench.h"
#include "tests/harness/daemon.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/sim.h"

#define N_EXPERIMENTS 1000
#define N_CONNECTIONS 250
#define BOUND 1.5
#define TURN_BOUND_MS 5.0

static int n_ended;
static double longest; // turn of any run
static size_t heap; // of all calls

static void on_reply(struct ellu_op *op, int result, const struct ellu_run_experiment_reply *run,
		     const struct ellu_error *error, void *userdata)
{

	(void)op;
	(void)userdata;
	if (result < 0)
		die("%s", error ? error->message : ellu_strerror(result));
	if (!ellu_task_is_success(run->task))
		die("an experiment ended with %s: %s", run->task->status,
		    run->task->error ? run->task->error->message : "");
	n_ended++;
}

static void submit(struct ellu *handle, int number)
{
	struct ellu_run_experiment_request request = ELLU_RECORD(struct ellu_run_experiment_request);
	struct ellu_template_in template = ELLU_RECORD(struct ellu_template_in);
	struct ellu_collection_in collection = ELLU_RECORD(struct ellu_collection_in);
	struct ellu_llm_config_in config = ELLU_RECORD(struct ellu_llm_config_in);
	struct ellu_ref shared = ELLU_RECORD(struct ellu_ref);
	struct ellu_ref criteria = ELLU_RECORD(struct ellu_ref);
	char *name = text("Outstanding %d", number);
	int r;

	shared.name = "Outstanding";
	criteria.name = "Outstanding criteria";
	template.ref = collection.ref = config.ref = &shared;
	request.name = name;
	request.prompt_template = &template;
	request.collection = &collection;
	request.criterion_set = &criteria;
	request.llm_config = &config;
	r = ellu_run_experiment_async(handle, &request, on_reply, NULL, NULL);
	if (r < 0)
		die("submitting number %d: %s", number, ellu_strerror(r));
	free(name);
}

static double thread_cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* A loop in small. */
static void run_loop(struct ellu *handle)
{
	while (n_ended < N_EXPERIMENTS) {
		struct pollfd poll_fd = { .fd = ellu_fd(handle), .events = POLLIN };
		double begin, turn;

		if (poll(&poll_fd, 1, 60000) == 0)
			die("%d of %d ended", n_ended, N_EXPERIMENTS);
		begin = thread_cpu_ms();
		(void)ellu_process(handle);
		turn = thread_cpu_ms() - begin;
		longest = turn > longest ? turn : longest;
	}
}

static size_t heap_bytes(void)
{
	return mallinfo2().uordblks;
}

static void allow_many_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < N_EXPERIMENTS + 100)
		die("only %llu descriptors are allowed", (unsigned long long)limit.rlim_max);
}

static struct bench_wall measure(void)
{
	static const char *const settings[] = { "--latency_seconds=0.1", NULL };
	struct sim *sim = sim_start(settings);
	struct daemon *daemon = daemon_start(&(struct daemon_options){
		.config = "[queue]\nmax_pending = 2000\nmax_pending_per_user = 2000\n"
			  "max_running = 1000\nmax_running_per_user = 1000\n" });
	struct bench_wall seen;
	struct ellu *handle;
	json_object *stats;
	double begin, cpu;

	bench_shared_parts(daemon, "Outstanding", sim_url(sim), N_CONNECTIONS, 1);
	if (ellu_open(daemon_socket(daemon), ELLU_EVENT, &handle) < 0)
		die("the daemon cannot be reached");
	sim_reset(sim);
	n_ended = 0;
	heap = heap_bytes();
	cpu = bench_cpu_seconds(daemon_pid(daemon));
	begin = now_seconds();
	for (int i = 0; i < N_EXPERIMENTS; i++)
		submit(handle, i);
	heap = heap_bytes() - heap;
	run_loop(handle);
	seen.wall = now_seconds() - begin;
	seen.cpu = bench_cpu_seconds(daemon_pid(daemon)) - cpu;

	stats = sim_stats(sim);
	seen.n_calls = (uint64_t)at_int(stats, "calls");
	seen.latency = at_number(stats, "mean_latency_seconds");
	seen.ideal = (double)bench_rounds(seen.n_calls, N_CONNECTIONS) * seen.latency;
	json_object_put(stats);
	ellu_close(handle);
	daemon_kill(daemon);
	sim_stop(sim);
	return seen;
}

int main(void)
{
	struct bench_wall best;
	bool ok;

	allow_many_descriptors();
	best = bench_least(measure);
	ok = bench_figure("outstanding", best.wall / best.ideal, BENCH_AT_MOST, BOUND,
			  "the least of %d runs; %.3f s for %" PRIu64 " calls of %.1f ms, ideal %.3f s; the "
			  "daemon took %.3f s of processor time; an outstanding call takes %zu bytes",
			  BENCH_RUNS, best.wall, best.n_calls, best.latency * 1e3, best.ideal, best.cpu,
			  heap / N_EXPERIMENTS);
	ok &= bench_figure("outstanding turn", longest, BENCH_AT_MOST, TURN_BOUND_MS,
			   "ms of processor time in the longest turn of the handle");
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
