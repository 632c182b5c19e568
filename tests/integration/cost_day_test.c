/*
 * Limits of cost count what is in flight: of a task, and of a project's day, which ends at midnight
 * (UTC). Each answer costs a dollar here.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/harness/database.h"
#include "tests/integration/control.h"

#define DAY INT64_C(86400)
#define PRICES "'price_input':'0','price_output':'500000'"
#define CONNECTIONS 4

static struct sim *sim;
static const char *clock_path;
static int64_t offset;

static void set_clock(void)
{
	int fd = open(clock_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	ck_assert_int_eq(pwrite(fd, &offset, sizeof(offset), 0), sizeof(offset));
	close(fd);
}

/* So many seconds into its day. */
static void set_time(int64_t seconds)
{
	offset += seconds - (time(NULL) + offset) % DAY;
	set_clock();
}

static void start(void)
{
	clock_path = dir_path(dir_new(), "offset");
	offset = 0;
	set_time(DAY / 2);
	sim = sim_start((const char *[]) { "--latency_seconds=0.01", "--fixed_answer=x", NULL });
	/* What is preloaded would come before a sanitizer. */
	server = daemon_start(&(struct daemon_options) {
		.environment = SLOW_BUILD ? NULL :
					    (const char *[]) { "LD_PRELOAD=" ELLU_WALL_CLOCK,
							       text("WALL_CLOCK=%s", clock_path), NULL } });
	wire = daemon_connect(server);
}

static void limit_day(const char *dollars)
{
	wire_call(wire, "UpdateProject", "{'project':{'name':'default'},'content':{'name':'default'%s%s%s}}",
		  dollars ? ",\"daily_cost_limit\":\"" : "", dollars ? dollars : "", dollars ? "\"" : "");
}

static int64_t submit(const char *name, unsigned connections, const char *more)
{
	return experiment_submit(wire, &(struct experiment) {
		.name = name, .rows = 60, .url = sim_url(sim), .max_connections = connections,
		.config = PRICES, .more = more });
}

static void must_be_held(int64_t id, const char *reason)
{
	json_object *task;

	await_state(watch(id), "PENDING budget");
	task = task_get(wire, id);
	ck_assert_msg(strstr(at_text(task, "hold_reason"), reason) != NULL, "%s", at_text(task, "hold_reason"));
	ck_assert(has_log(id, reason));
}

/* Asked for by all tasks so far. */
static void must_have_asked(int64_t at_least, int64_t at_most)
{
	int64_t calls = sim_stat(sim, "calls");

	ck_assert_msg(calls >= at_least && calls <= at_most, "%lld calls", (long long)calls);
}

START_TEST(limit_of_a_task)
{
	int64_t id;

	start();
	id = submit("A", CONNECTIONS, "'cost_limit':'20'");
	must_be_held(id, "the cost_limit is $20");
	must_have_asked(20, 20 + CONNECTIONS);
	ck_assert(!at_has(task_get(wire, id), "hold_until"));
	/* Verdicts, and the ones that are asked for twice, count the same. */
	sim_control(sim, "{'fixed_answer':'','bad_verdict_rate':1}");
	tune_task(id, "'cost_limit':'1000000'");
	task_await_status(server, id, "SUCCESS");
	end();
}
END_TEST

START_TEST(limit_of_a_day)
{
	int64_t first, second;

	start();
	limit_day("20");
	ck_assert_str_eq(at_text(wire_call(wire, "GetProject", "{}"), "project.daily_cost_limit"), "20");
	first = submit("A", CONNECTIONS / 2, NULL);
	second = submit("B", CONNECTIONS / 2, NULL);
	must_be_held(first, "daily_cost_limit is $20");
	must_be_held(second, "daily_cost_limit is $20");
	must_have_asked(20, 20 + CONNECTIONS);
	ck_assert_ptr_nonnull(strstr(at_text(task_get(wire, first), "hold_until"), "T00:00:00"));
	must_conflict("ResumeTask", first, "", "daily_cost_limit");
	/* Not the limit that it waits for, nor a kill. */
	ck_assert_str_eq(state_of(tune_task(first, "'cost_limit':'1000'")), "PENDING budget");
	daemon_kill(server);
	restart();
	ck_assert_str_eq(state_of(task_get(wire, first)), "PENDING budget");
	/* A new task begins, and asks for nothing. */
	sim_reset(sim);
	must_be_held(submit("C", 1, NULL), "daily_cost_limit");
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	/* Raised, they go on at once. */
	limit_day("150");
	task_await_status(server, first, "SUCCESS");
	task_await_status(server, second, "SUCCESS");
	must_have_asked(96, 150 - 20 + CONNECTIONS);
	limit_day(NULL);
	end();
}
END_TEST

/* What is in flight when the daemon dies is asked for again, and nothing else. */
START_TEST(limit_and_kill)
{
	int64_t id;

	start();
	limit_day("30");
	id = submit("A", CONNECTIONS, NULL);
	sim_await(sim, "answered", 10);
	daemon_kill(server);
	restart();
	must_be_held(id, "daily_cost_limit is $30");
	/* Answered and not committed, or in flight: once more at the most. */
	must_have_asked(30, 30 + 4 * CONNECTIONS);
	ck_assert_int_le(database_int(server, "SELECT sum(cost_nanodollars) / 1000000000 FROM spending"),
			 30 + CONNECTIONS);
	end();
}
END_TEST

/* The next day they go on by themselves: with the next start, or at midnight. */
START_TEST(next_day)
{
	struct watcher *watcher;
	int64_t first, second;

	start();
	limit_day("20");
	first = submit("A", CONNECTIONS, NULL);
	must_be_held(first, "daily_cost_limit");
	ck_assert_int_eq(daemon_stop(server), 0);
	set_time(DAY + DAY / 2);
	restart();
	watcher = watch(first);
	await_state(watcher, "PENDING budget");
	await_state(watcher, "STARTED");
	await_state(watcher, "PENDING budget");
	must_be_held(first, "daily_cost_limit");
	must_have_asked(40, 2 * (20 + CONNECTIONS));
	/* Who is on hold next has midnight looked for anew. */
	set_time(DAY - 3);
	second = submit("B", 1, NULL);
	await_state(watch(second), "PENDING budget");
	cancel_task(second);
	task_await_status(server, first, "SUCCESS");
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM spending"), 3);
	end();
}
END_TEST

/* Under a limit of the day as under one of the task, what costs has to have a price. */
START_TEST(no_price)
{
	json_object *task;

	start();
	limit_day("20");
	task = experiment_run(wire, &(struct experiment) { .name = "none", .rows = 2, .url = sim_url(sim) });
	ck_assert_str_eq(at_text(task, "status"), "REJECTED");
	ck_assert_str_eq(at_text(task, "error.field"), "llm_config");
	ck_assert_ptr_nonnull(strstr(at_text(task, "error.message"), "daily_cost_limit"));
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	task_await_status(server, experiment_submit(wire, &(struct experiment) {
		.name = "free", .rows = 2, .url = sim_url(sim),
		.config = "'price_input':'0','price_output':'0'" }), "SUCCESS");
	task = experiment_run(wire, &(struct experiment) { .name = "simulated", .rows = 2 });
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	end();
}
END_TEST

int main(void)
{
#if SLOW_BUILD
	(void)next_day;
	return RUN_SUITE(limit_of_a_task, limit_of_a_day, limit_and_kill, no_price);
#else
	return RUN_SUITE(limit_of_a_task, limit_of_a_day, limit_and_kill, next_day, no_price);
#endif
}
