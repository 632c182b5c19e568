/*
 * 64 clients that submit at once: how many syncs a durable submit costs, and how near the daemon
 * comes to what its store alone can take in batches of 64. Nothing runs meanwhile but one
 * experiment, which waits for its first answer. And how long the largest submission that there is
 * holds the writer: as many rows, columns, criteria and epochs as one may have.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/bench/store_rate.h"
#include "tests/harness/daemon.h"
#include "tests/harness/dir.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"

#define N_CLIENTS 64
#define N_WARM_UP 640
#define N_SUBMITS 6400
#define SYNCS_BOUND (1.0 / 8)
#define RATE_BOUND 0.25
#define LARGEST 1000
#define N_LARGEST 5
#define LARGEST_SECONDS_MAX 0.05

#define PARTS "'prompt_template':{'ref':{'name':'Commit'}}," \
	      "'collection':{'ref':{'name':'Commit'}},'llm_config':{'ref':{'name':'slow'}}"

/* It makes what the others refer to, and then holds the only slot. */
#define FIRST "{'name':'Commit','detach':true," \
	      "'prompt_template':{'content':{'name':'Commit','messages':[{'role':'user'," \
	      "'content':'Write about {{topic}}.'}]}}," \
	      "'collection':{'content':{'name':'Commit'," \
	      "'variables':[{'topic':'a'},{'topic':'b'}]}}," \
	      "'llm_config':{'content':{'name':'slow','provider':'simulated'," \
	      "'custom':{'latency_seconds':3600}}}}"

static const volatile uint64_t *make_counter(const char *path)
{
	static const uint64_t zero;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *shared;

	if (fd < 0 || write(fd, &zero, sizeof(zero)) != sizeof(zero))
		die("%s: %s", path, strerror(errno));
	shared = mmap(NULL, sizeof(zero), PROT_READ, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	close(fd);
	return shared;
}

static void submit(struct wire *wire, const char *parameters)
{
	wire_start(wire, "", "RunExperiment", "%s", parameters);
}

static void take_answer(struct wire *wire)
{
	const char *message;

	if (wire_receive(wire, WAIT_SECONDS, &message) != WIRE_MESSAGE ||
	    !strstr(message, "\"PENDING\""))
		die("a submit was answered: %s", message);
}

/* Each client submits again as soon as it is answered, until all are done. */
static void run_clients(struct wire **wires, char *const *submits, size_t n)
{
	struct pollfd fds[N_CLIENTS];
	size_t n_sent = 0, n_answered = 0;

	for (size_t i = 0; i < N_CLIENTS; i++) {
		fds[i] = (struct pollfd){ .fd = wire_fd(wires[i]), .events = POLLIN };
		submit(wires[i], submits[n_sent++]);
	}
	while (n_answered < n) {
		if (poll(fds, N_CLIENTS, (int)(WAIT_SECONDS * 1000)) <= 0)
			die("the daemon does not answer");
		for (size_t i = 0; i < N_CLIENTS; i++) {
			if (!fds[i].revents)
				continue;
			take_answer(wires[i]);
			n_answered++;
			if (n_sent < n)
				submit(wires[i], submits[n_sent++]);
		}
	}
}

static void submit_largest(struct wire *wire)
{
	json_object *rows = json_object_new_array(), *criteria = json_object_new_array();
	json_object *first = json_object_new_object();

	for (int i = 0; i < LARGEST; i++) {
		json_object_object_add(first, text("column %d", i), json_object_new_int(i));
		json_object_array_add(criteria, json_object_new_string(text("Is it %d?", i)));
		if (i > 0)
			json_object_array_add(rows, json_must_parse(text("{\"column 0\":%d}", i)));
	}
	json_object_array_add(rows, first);
	json_object_put(wire_call(
		wire, "RunExperiment",
		"{'name':'Largest','detach':true,'n_epochs':%d,'prompt_template':{'content':{'name':'Largest',"
		"'messages':[{'role':'user','content':'Write about it.'}]}},'llm_config':{'ref':{'name':'slow'}},"
		"'collection':{'content':{'name':'Largest','variables':%s}},'criteria':%s}", LARGEST,
		json_object_to_json_string(rows), json_object_to_json_string(criteria)));
	json_object_put(rows);
	json_object_put(criteria);
}

/* The longest of a daemon's operations, and of several daemons the least: what else the machine does meanwhile
 * only adds to it. */
static bool measure_largest(const struct daemon_options *options)
{
	double least = INFINITY;
	json_object *best = NULL;

	for (int i = 0; i < N_LARGEST; i++) {
		struct daemon *daemon = daemon_start(options);
		struct wire *wire = daemon_connect(daemon);
		json_object *status;
		double seconds;

		json_object_put(wire_call(wire, "RunExperiment", "%s", quoted(FIRST)));
		submit_largest(wire);
		status = wire_call(wire, "GetStatus", "{}");
		seconds = at_number(status, "storage.slowest_operation_seconds");
		json_object_put(seconds < least ? best : status);
		best = seconds < least ? status : best;
		least = seconds < least ? seconds : least;
		wire_close(wire);
		daemon_kill(daemon);
	}
	return bench_figure("commit.largest", least, BENCH_AT_MOST, LARGEST_SECONDS_MAX,
			    "seconds, the longest operation, the least of %d times: %s", N_LARGEST,
			    at_text(best, "storage.slowest_operation"));
}

int main(void)
{
	static char *submits[N_WARM_UP + N_SUBMITS];
	static struct wire *wires[N_CLIENTS];
	const char *counter = dir_path(dir_new(), "syncs");
	const volatile uint64_t *n_syncs = make_counter(counter);
	const char *const environment[] = { "LD_PRELOAD=" SYNC_COUNTER_PATH,
					    text("ELLU_SYNC_COUNTER=%s", counter), NULL };
	const struct daemon_options options = {
		.config = "[queue]\nmax_pending = 1000000\nmax_pending_per_user = 1000000\n"
			  "max_running = 1\nmax_running_per_user = 1\n",
		.environment = environment,
	};
	struct daemon *daemon = daemon_start(&options);
	struct store_rate store = { .state_dir = dir_path(dir_new(), "state"),
				    .first = quoted(FIRST),
				    .submits = submits + N_WARM_UP,
				    .n_submits = N_SUBMITS,
				    .batch = N_CLIENTS };
	double seconds, rate, store_per_second, per_submit;
	bool ok;

	for (size_t i = 0; i < N_WARM_UP + N_SUBMITS; i++)
		submits[i] = quoted("{'name':'Commit %zu','detach':true," PARTS "}", i);
	for (size_t i = 0; i < N_CLIENTS; i++)
		wires[i] = daemon_connect(daemon);
	json_object_put(wire_call(wires[0], "RunExperiment", "%s", store.first));
	run_clients(wires, submits, N_WARM_UP);

	per_submit = (double)*n_syncs;
	seconds = now_seconds();
	run_clients(wires, submits + N_WARM_UP, N_SUBMITS);
	seconds = now_seconds() - seconds;
	per_submit = ((double)*n_syncs - per_submit) / N_SUBMITS;
	daemon_kill(daemon);
	ok = measure_largest(&options);

	rate = N_SUBMITS / seconds;
	store_per_second = store_rate_measure(&store);
	ok &= bench_figure("commit.syncs", per_submit, BENCH_AT_MOST, SYNCS_BOUND,
			  "%.0f syncs for %d submits of %d clients", per_submit * N_SUBMITS,
			  N_SUBMITS, N_CLIENTS);
	ok &= bench_figure("commit.rate", rate / store_per_second, BENCH_AT_LEAST, RATE_BOUND,
			   "%.0f submits a second, the store alone %.0f", rate, store_per_second);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
