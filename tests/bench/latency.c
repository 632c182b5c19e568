/*
 * How long a client waits, at an idle daemon, from submitting an experiment to seeing it STARTED,
 * over one sync of the same disk, measured in between, and a millisecond.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/harness/daemon.h"
#include "tests/harness/dir.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"

#define N_RUNS 200
#define N_WARM_UP 10
#define IDLE_LOOKS 20
#define PAGE_SIZE 4096
#define FILE_SIZE (256 * PAGE_SIZE)
#define ALLOWED_SECONDS 0.001

/* What a commit cannot do without: a page written and synced. SQLite's log is overwritten from its
 * beginning after each checkpoint, so this overwrites, too: a file that grows has more to sync. */
static double sync_seconds(int fd)
{
	static const char page[PAGE_SIZE];
	static off_t at;
	double begin = now_seconds();

	if (pwrite(fd, page, sizeof(page), at) != sizeof(page) || fdatasync(fd) < 0)
		die("a file cannot be written: %s", strerror(errno));
	at = (at + PAGE_SIZE) % FILE_SIZE;
	return now_seconds() - begin;
}

static void fill(int fd)
{
	static const char block[FILE_SIZE];

	if (write(fd, block, sizeof(block)) != sizeof(block) || fsync(fd) < 0)
		die("a file cannot be written: %s", strerror(errno));
}

/* Runs to its end, so that the next one meets an idle daemon too. */
static double started_seconds(struct wire *wire, const char *name)
{
	double begin = now_seconds(), started = 0;
	bool continues = true;

	wire_start(wire, "'more':true", "RunExperiment",
		   "{'name':'%s','prompt_template':{'ref':{'name':'Latency'}},"
		   "'collection':{'ref':{'name':'Latency'}},"
		   "'llm_config':{'ref':{'name':'simulated'}}}",
		   name);
	while (continues) {
		json_object *reply = wire_next(wire);

		if (!started && at_is(reply, "parameters.event.status", "STARTED"))
			started = now_seconds() - begin;
		continues = at_has(reply, "continues") && at_bool(reply, "continues");
		if (!continues && !at_is(reply, "parameters.event.status", "SUCCESS"))
			die("the experiment ended: %s", json_object_to_json_string(reply));
		json_object_put(reply);
	}
	if (!started)
		die("no event told of the start");
	return started;
}

/* Once every thread has answered so often, nothing is left of what was before. */
static void await_idle(struct wire *wire)
{
	for (int i = 0; i < IDLE_LOOKS; i++)
		json_object_put(wire_call(wire, "GetStatus", "{}"));
}

int main(void)
{
	static double started[N_RUNS], syncs[N_RUNS];
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	int fd = open(dir_path(daemon_state_dir(daemon), "syncs"),
		      O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	double median, sync;
	bool ok;

	fill(fd);
	bench_upload_rows(wire, "Latency", 1);
	bench_run_experiment(wire, quoted("{'name':'Latency','prompt_template':{'content':{"
					  "'name':'Latency','messages':[{'role':'user',"
					  "'content':'Write about {{topic}}.'}]}},"
					  "'collection':{'ref':{'name':'Latency'}},"
					  "'llm_config':{'ref':{'name':'simulated'}}}"));
	for (int i = -N_WARM_UP; i < N_RUNS; i++) {
		double seconds;

		await_idle(wire);
		seconds = sync_seconds(fd);
		syncs[i < 0 ? 0 : i] = seconds;
		await_idle(wire);
		seconds = started_seconds(wire, text("Latency %d", i));
		started[i < 0 ? 0 : i] = seconds;
	}
	median = bench_median(started, N_RUNS);
	sync = bench_median(syncs, N_RUNS);
	ok = bench_figure("latency", median / (sync + ALLOWED_SECONDS), BENCH_AT_MOST, 1.0,
			  "%.3f ms from submit to STARTED; a sync takes %.3f ms, and 1 ms",
			  median * 1e3, sync * 1e3);
	daemon_kill(daemon);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
