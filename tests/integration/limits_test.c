/* What a config allows of an endpoint a day, as the user sees it: its tasks wait together, and say for
 * what; a restart does not give it again. */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/daemon.h"
#include "tests/harness/experiment.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/sim.h"
#include "tests/harness/suite.h"
#include "tests/harness/wire.h"

#define WORDS "the config allows 3 requests a day, and they are taken until midnight, UTC"

static struct sim *sim;
static struct daemon *server;

static int64_t submit(const char *name, unsigned rows)
{
	struct wire *wire = daemon_connect(server);
	const struct experiment experiment = {
		.name = name,
		.rows = rows,
		.url = sim_url(sim),
		.config = "'requests_per_day':3",
	};
	int64_t id = experiment_submit(wire, &experiment);

	wire_close(wire);
	return id;
}

static void await_hold(int64_t id)
{
	struct wire *wire = daemon_connect(server);
	bool held = false;

	wire_start(wire, "'more':true", "WatchTask", "{'id':%lld}", (long long)id);
	while (!held) {
		json_object *reply = wire_next(wire);

		ck_assert(at_bool(reply, "continues"));
		held = at_is(reply, "parameters.event.hold", "provider") ||
		       at_is(reply, "parameters.task.hold", "provider");
		json_object_put(reply);
	}
	wire_close(wire);
}

static void expect_status(void)
{
	struct wire *wire = daemon_connect(server);
	json_object *status = wire_call(wire, "GetStatus", "{}");

	ck_assert_int_eq(at_int(status, "endpoints.0.requests_left_today"), 0);
	ck_assert_str_eq(at_text(status, "endpoints.0.waits_for"), WORDS);
	json_object_put(status);
	wire_close(wire);
	ck_assert_ptr_nonnull(strstr(COMMAND(server, 0, "status")->out,
				     ": 0 requests left today, " WORDS "\n"));
}

START_TEST(requests_per_day)
{
	int64_t first, second;
	struct wire *wire;
	char *logs;

	sim = sim_start(NULL);
	server = daemon_start(NULL);
	first = submit("First", 5);
	await_hold(first);
	second = submit("Second", 1);
	await_hold(second);
	expect_status();
	ck_assert_int_eq(sim_stat(sim, "calls"), 3);
	wire = daemon_connect(server);
	logs = task_logs(wire, first);
	ck_assert_ptr_nonnull(strstr(logs, WORDS));
	free(logs);
	wire_close(wire);

	/* Another daemon on the same state: the day is the same. */
	json_object_put(wire_call(daemon_connect(server), "CancelTask", "{'id':%lld}",
				  (long long)second));
	task_await_status(server, second, "REVOKED");
	ck_assert_int_eq(daemon_stop(server), 0);
	daemon_restart(server);
	await_hold(first);
	expect_status();
	ck_assert_int_eq(sim_stat(sim, "calls"), 3);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(requests_per_day);
}
