/* A daemon with few file descriptors asks less at once, and goes on serving its clients. */
#include <sys/resource.h>

#include "tests/harness/suite.h"

#define N_FILES 100
#define N_ROWS 300

START_TEST(no_item_ends_for_it)
{
	static const struct rlimit few = { N_FILES, N_FILES };
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.02", NULL });
	struct daemon *server;
	struct wire *wire;
	json_object *task;
	int64_t id;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	server = daemon_start(NULL);
	wire = daemon_connect(server);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = N_ROWS, .n_criteria = 1, .url = sim_url(sim), .max_connections = 256,
		.config = "'max_retries':0" });
	for (int64_t calls = 50; calls <= N_ROWS; calls += 50) {
		sim_await(sim, "calls", calls);
		ck_assert(daemon_is_well(server));
	}
	task = task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(at_int(task, "progress.failed"), 0);
	ck_assert_int_eq(sim_stat(sim, "calls"), 2 * N_ROWS);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(no_item_ends_for_it);
}
