/*
 * A million cases: the daemon's memory throughout, a case's time at the end over that at the
 * start (the median of the hundredths in each tenth, by what the machine gave at that time: other
 * work on it comes in bursts), how long a start takes (after kills in mid-run and at the end, and after an orderly
 * stop), the longest stay in the writer, and what a case takes on the disk. Then the same of fewer
 * cases at an endpoint that is reached over HTTP, judged by two criteria.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/bench/bench.h"
#include "tests/harness/daemon.h"
#include "tests/harness/dir.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/sim.h"

#define N_CASES 1000000
#define N_HTTP_CASES 100000
#define N_SLICES 100
#define N_COMPARED 10 // slices at either end
#define N_STARTS 5
#define SAMPLE_SECONDS 0.1
#define MACHINE_SAMPLES 256
#define MEMORY_MIB_MAX 64.0
#define SLOWDOWN_MAX 1.2
#define READY_SECONDS_MAX 0.1
#define OPERATION_SECONDS_MAX 0.05

/* At how many slices the daemon is killed: between the first tenth and the last. */
static const int64_t kills[] = { 30, 50, 70 };
#define N_KILLS (sizeof(kills) / sizeof(kills[0]))

struct mark {
	double seconds;
	double cpu_seconds; // of the daemon that runs
};

/* What the yardstick took while a tenth of the cases was done. */
struct machine {
	double seconds[MACHINE_SAMPLES];
	size_t n;
};

struct scale {
	const char *name; // of the figures
	int64_t n_cases;
	int64_t slice; // cases
	struct sim *sim; // NULL: the simulated provider, and no criteria
	struct daemon *daemon;
	struct wire *wire;
	int64_t task_id;
	size_t n_kills;
	double rss_mib, hwm_mib, log_mib; // the highest, of SQLite's log too
	double sampled; // when
	int64_t done;
	struct mark last; // at `done`
	struct mark slices[N_SLICES + 1]; // when so many hundredths were done
	struct machine first, end;
	double success_seconds;
	double ready_killed, ready_stopped; // the worst
	double ready_fresh;
	double operation; // the longest in the writer, seconds
	char *operation_name;
	double commit;
};

/* ---- Memory ---- */

static void keep_highest(const struct scale *scale, const char *name, double *highest)
{
	double mib = (double)daemon_memory_kib(scale->daemon, name) / 1024;

	if (mib > *highest)
		*highest = mib;
}

static void sample(struct scale *scale)
{
	struct stat log;

	keep_highest(scale, "VmRSS", &scale->rss_mib);
	keep_highest(scale, "VmHWM", &scale->hwm_mib);
	if (stat(dir_path(daemon_state_dir(scale->daemon), "elluminate.db-wal"), &log) == 0 &&
	    (double)log.st_size / 1048576 > scale->log_mib)
		scale->log_mib = (double)log.st_size / 1048576;
	scale->sampled = now_seconds();
}

static void sample_machine(struct scale *scale)
{
	struct machine *machine = scale->done < N_COMPARED * scale->slice ? &scale->first :
				  scale->done >= (N_SLICES - N_COMPARED) * scale->slice ? &scale->end :
				  NULL;

	if (machine && machine->n < MACHINE_SAMPLES)
		machine->seconds[machine->n++] = bench_yardstick_seconds();
}

static void note_operation(struct scale *scale)
{
	json_object *status = wire_call(scale->wire, "GetStatus", "{}");
	double slowest = at_number(status, "storage.slowest_operation_seconds");

	if (at_number(status, "storage.slowest_commit_seconds") > scale->commit)
		scale->commit = at_number(status, "storage.slowest_commit_seconds");
	if (slowest > scale->operation) {
		scale->operation = slowest;
		free(scale->operation_name);
		scale->operation_name =
			strdup(at_text(status, "storage.slowest_operation"));
	}
	json_object_put(status);
}

/* ---- Starting ---- */

static double start(struct scale *scale)
{
	double begin = now_seconds(), took;

	daemon_restart(scale->daemon);
	took = now_seconds() - begin;
	scale->wire = daemon_connect(scale->daemon);
	return took;
}

static void kill_and_start(struct scale *scale)
{
	double took;

	sample(scale);
	daemon_kill(scale->daemon);
	wire_close(scale->wire);
	took = start(scale);
	if (took > scale->ready_killed)
		scale->ready_killed = took;
}

static void stop_and_start(struct scale *scale)
{
	double took;

	wire_close(scale->wire);
	if (daemon_stop(scale->daemon) != 0)
		die("the daemon did not stop well: %s", daemon_log(scale->daemon));
	took = start(scale);
	if (took > scale->ready_stopped)
		scale->ready_stopped = took;
}

/* ---- The run ---- */

static struct mark mark(struct scale *scale)
{
	return (struct mark){ now_seconds(), bench_cpu_seconds(daemon_pid(scale->daemon)) };
}

/* When so many were done, between two events that tell of it. */
static struct mark between(struct mark a, int64_t done_a, struct mark b, int64_t done_b, int64_t at)
{
	double part = (double)(at - done_a) / (double)(done_b - done_a);

	return (struct mark){ a.seconds + part * (b.seconds - a.seconds),
			      a.cpu_seconds + part * (b.cpu_seconds - a.cpu_seconds) };
}

static void take_progress(struct scale *scale, int64_t done)
{
	struct mark now = mark(scale);

	for (int64_t at = scale->done / scale->slice + 1; at * scale->slice <= done; at++)
		scale->slices[at] =
			between(scale->last, scale->done, now, done, at * scale->slice);
	scale->done = done;
	scale->last = now;
}

static void watch(struct scale *scale)
{
	wire_start(scale->wire, "'more':true", "WatchTask",
		   "{'id':%" PRId64 ",'min_interval_seconds':0.05}", scale->task_id);
}

/* True when the run has ended. */
static bool take_event(struct scale *scale, const char *message)
{
	json_object *reply = json_tokener_parse(message);
	bool ended = !at_has(reply, "continues") || !at_bool(reply, "continues");

	if (at_has(reply, "parameters.event.progress"))
		take_progress(scale, at_int(reply, scale->sim ?
					    "parameters.event.progress.responses_rated" :
					    "parameters.event.progress.responses_generated"));
	if (ended && !at_is(reply, "parameters.event.status", "SUCCESS"))
		die("the experiment ended: %s", message);
	json_object_put(reply);
	return ended;
}

/* Events come by; memory is looked at by the clock, whether they come or not. */
static void run(struct scale *scale)
{
	bool ended = false;

	scale->slices[0] = scale->last = mark(scale);
	watch(scale);
	while (!ended) {
		const char *message;
		enum wire_outcome outcome =
			wire_receive(scale->wire, SAMPLE_SECONDS, &message);

		if (now_seconds() - scale->sampled >= SAMPLE_SECONDS) {
			sample(scale);
			sample_machine(scale);
		}
		if (outcome == WIRE_CLOSED)
			die("the daemon is gone: %s", daemon_log(scale->daemon));
		if (outcome == WIRE_MESSAGE)
			ended = take_event(scale, message);
		if (!ended && scale->n_kills < N_KILLS && scale->done >= kills[scale->n_kills] * scale->slice) {
			scale->n_kills++;
			kill_and_start(scale);
			scale->last = mark(scale);
			watch(scale);
		}
	}
	scale->success_seconds = now_seconds();
	sample(scale);
}

static void submit(struct scale *scale)
{
	json_object *reply = wire_call(
		scale->wire, "RunExperiment",
		"{'name':'Scale','detach':true,'prompt_template':{'content':{'name':'Scale',"
		"'messages':[{'role':'user','content':'Write about {{topic}}.'}]}},"
		"'collection':{'ref':{'name':'Scale'}},%s}",
		scale->sim ? quoted("'criteria':['Is it long?','Is it about {{topic}}?'],"
				    "'llm_config':{'content':{'name':'fast','provider':'openai',"
				    "'llm_model_name':'m','max_connections':64,"
				    "'llm_base_url':'%s'}}", sim_url(scale->sim)) :
			     quoted("'llm_config':{'content':{'name':'fast','provider':'simulated',"
				    "'max_connections':64,'custom':{'latency_seconds':0}}}"));

	scale->task_id = at_int(reply, "task.id");
	json_object_put(reply);
}

/* ---- Figures ---- */

static int64_t database_bytes(struct scale *scale)
{
	const char *path = dir_path(daemon_state_dir(scale->daemon), "elluminate.db");
	struct stat file;

	if (stat(path, &file) < 0)
		die("%s is not there", path);
	return (int64_t)file.st_size;
}

/* Of the slices from this one on. */
static struct mark per_case(const struct scale *scale, size_t from)
{
	double seconds[N_COMPARED], cpu_seconds[N_COMPARED];

	for (size_t i = 0; i < N_COMPARED; i++) {
		const struct mark *a = &scale->slices[from + i], *b = a + 1;

		seconds[i] = (b->seconds - a->seconds) / (double)scale->slice;
		cpu_seconds[i] = (b->cpu_seconds - a->cpu_seconds) / (double)scale->slice;
	}
	return (struct mark){ bench_median(seconds, N_COMPARED),
			      bench_median(cpu_seconds, N_COMPARED) };
}

static bool memory_and_time(struct scale *scale)
{
	struct mark first = per_case(scale, 0);
	struct mark last = per_case(scale, N_SLICES - N_COMPARED);
	double machine = bench_median(scale->end.seconds, scale->end.n) /
			 bench_median(scale->first.seconds, scale->first.n);
	bool ok;

	ok = bench_figure(text("%s memory", scale->name), scale->hwm_mib, BENCH_AT_MOST, MEMORY_MIB_MAX,
			  "MiB resident at most, upload included; %.1f MiB seen by sampling",
			  scale->rss_mib);
	/* A machine that grew slower excuses the daemon. That the fixed work took less time accuses it of
	 * nothing: from one end of a run to the other that changes by a third on a quiet machine. */
	ok &= bench_figure(text("%s slowdown", scale->name),
			   last.seconds / first.seconds / (machine > 1 ? machine : 1),
			   BENCH_AT_MOST, SLOWDOWN_MAX,
			   "%.1f us a case in the first tenth, %.1f us in the last; %.1f and %.1f us "
			   "of processor time; a fixed work took %.2f of its time; results took %.2f s",
			   first.seconds * 1e6, last.seconds * 1e6, first.cpu_seconds * 1e6,
			   last.cpu_seconds * 1e6, machine,
			   scale->success_seconds - scale->slices[N_SLICES].seconds);
	return ok;
}

static bool starts(struct scale *scale)
{
	bool ok;

	ok = bench_figure(text("%s ready", scale->name), scale->ready_stopped, BENCH_AT_MOST, READY_SECONDS_MAX,
			  "seconds from start to ready, worst of %d; with an empty database %.3f",
			  N_STARTS, scale->ready_fresh);
	ok &= bench_figure(text("%s ready killed", scale->name), scale->ready_killed, BENCH_AT_MOST,
			   READY_SECONDS_MAX, "seconds, worst of %zu kills, %zu of them in mid-run",
			   N_KILLS + N_STARTS, N_KILLS);
	return ok;
}

static bool measure(const char *name, int64_t n_cases, struct sim *sim)
{
	struct scale scale = { .name = name, .n_cases = n_cases, .slice = n_cases / N_SLICES,
			       .sim = sim, .daemon = daemon_start(NULL) };
	int64_t rows_bytes;
	bool ok;

	scale.wire = daemon_connect(scale.daemon);
	stop_and_start(&scale);
	scale.ready_fresh = scale.ready_stopped;
	bench_upload_rows(scale.wire, "Scale", (unsigned)n_cases);
	sample(&scale);
	note_operation(&scale);
	stop_and_start(&scale);
	rows_bytes = database_bytes(&scale);
	submit(&scale);
	run(&scale);
	note_operation(&scale);
	ok = memory_and_time(&scale);
	for (int i = 0; i < N_STARTS; i++) {
		kill_and_start(&scale);
		stop_and_start(&scale);
	}
	ok &= starts(&scale);
	ok &= bench_figure(text("%s operation", name), scale.operation, BENCH_AT_MOST,
			   OPERATION_SECONDS_MAX, "seconds, the longest operation: %s; the longest "
			   "commit or checkpoint %.3f", scale.operation_name, scale.commit);
	wire_close(scale.wire);
	if (daemon_stop(scale.daemon) != 0)
		die("the daemon did not stop well: %s", daemon_log(scale.daemon));
	printf("%-18s %" PRId64 " bytes of database a case, %" PRId64 " of them its row; SQLite's log "
	       "took %.1f MiB at most\n", text("%s disk", name), database_bytes(&scale) / n_cases,
	       rows_bytes / n_cases, scale.log_mib);
	return ok;
}

int main(void)
{
	bool ok = measure("scale", N_CASES, NULL);

	ok &= measure("scale http", N_HTTP_CASES,
		      sim_start((const char *[]) { "--latency_seconds=0", NULL }));
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
