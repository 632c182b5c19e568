/*
 * A daemon that is killed again and again in the middle of an experiment: nothing recorded is
 * lost or asked for again, nothing is recorded twice, and it ends as if nothing had been.
 * ELLU_TEST_SEED repeats a run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/harness/suite.h"

#define ROWS 300
#define CRITERIA 2
#define ITEMS (ROWS * (1 + CRITERIA))
#define CONNECTIONS 8
#define KILLS 50
#define STOPS 10

static struct daemon *server;
static struct sim *sim;
static int64_t task_id, experiment_id;

static void begin(const char *latency)
{
	const char *given = getenv("ELLU_TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	struct wire *wire;

	fprintf(stderr, "ELLU_TEST_SEED=%u\n", seed);
	srandom(seed);
	server = daemon_start(NULL);
	sim = sim_start((const char *[]) { latency, "--latency_jitter_seconds=0.02", NULL });
	wire = daemon_connect(server);
	task_id = experiment_submit(wire, &(struct experiment) {
		.rows = ROWS, .n_criteria = CRITERIA, .url = sim_url(sim),
		.max_connections = CONNECTIONS });
	experiment_id = at_int(task_get(wire, task_id), "experiment_id");
	wire_close(wire);
}

/* Waits until the daemon has recorded a few items that it had not recorded before. How many
 * there are now. */
static int64_t await_news(int64_t recorded, int n_left)
{
	struct wire *wire = daemon_connect(server);
	/* At least one, on the average an even share of what is left. */
	int64_t share = (ITEMS - recorded) / (n_left + 1);
	int64_t more = 1 + random() % (share > 0 ? 2 * share - 1 : 1);
	int64_t now = experiment_recorded(wire, experiment_id);

	/* What was recorded before an end is still there. */
	ck_assert_int_ge(now, recorded);
	if (recorded + more > ITEMS - 1)
		more = 1;
	now = experiment_await_recorded(wire, task_id, experiment_id, recorded + more);
	wire_close(wire);
	return now;
}

/* Each item exactly once. */
static void check_items(void)
{
	struct wire *wire = daemon_connect(server);
	json_object *responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
					  (long long)experiment_id);
	json_object *ratings = list_all(wire, "ListRatings", "'experiment':{'id':%lld}",
					(long long)experiment_id);
	json_object *seen = json_object_new_object();

	ck_assert_uint_eq(json_object_array_length(responses), ROWS);
	ck_assert_uint_eq(json_object_array_length(ratings), ROWS * CRITERIA);
	for (size_t i = 0; i < ROWS; i++) {
		json_object *response = json_object_array_get_idx(responses, i);
		char *key = text("case %lld.%lld", (long long)at_int(response, "template_variables.id"),
				 (long long)at_int(response, "epoch"));

		ck_assert_msg(!at_has(response, "error"), "%s", json_object_to_json_string(response));
		ck_assert_msg(!json_object_object_get_ex(seen, key, NULL), "twice: %s", key);
		json_object_object_add(seen, key, json_object_new_boolean(1));
	}
	for (size_t i = 0; i < ROWS * CRITERIA; i++) {
		json_object *rating = json_object_array_get_idx(ratings, i);
		char *key = text("rating %lld/%lld", (long long)at_int(rating, "response_id"),
				 (long long)at_int(rating, "criterion.id"));

		ck_assert_msg(!at_has(rating, "error"), "%s", json_object_to_json_string(rating));
		ck_assert_msg(!json_object_object_get_ex(seen, key, NULL), "twice: %s", key);
		json_object_object_add(seen, key, json_object_new_boolean(1));
	}
}

static void finish(void)
{
	json_object *task = task_await_status(server, task_id, "SUCCESS");

	ck_assert_int_eq(at_int(task, "progress.responses_generated"), ROWS);
	ck_assert_int_eq(at_int(task, "progress.responses_rated"), ROWS);
	ck_assert_int_eq(at_int(task, "result.results.ratings"), ROWS * CRITERIA);
	check_items();
	ck_assert_int_eq(daemon_stop(server), 0);
}

/* However late the kill comes, the daemon's next life leaves something to each of the `n_left`
 * lives after it: the endpoint does not answer what would be theirs. */
static void leave_to_later(int64_t calls, int64_t recorded, int n_left)
{
	sim_control(sim, "{'hang_rate':1,'faults_after':%lld}",
		    (long long)(calls + ITEMS - recorded - n_left));
}

/* A kill costs what the endpoint was asked in that life of the daemon and is not recorded: these
 * calls, and no others, are repeated. */
START_TEST(killed)
{
	int64_t recorded = 0, calls = 0, lost = 0;

	begin("--latency_seconds=0.005");
	leave_to_later(calls, recorded, KILLS - 1);
	for (int i = 1; i <= KILLS; i++) {
		int64_t calls_before = calls, recorded_before = recorded, cost;
		json_object *stats;

		ck_assert_int_gt(await_news(recorded, KILLS - i), recorded);
		daemon_kill(server);
		sim_await_closed(sim);
		stats = sim_stats(sim);
		calls = at_int(stats, "calls");
		recorded = database_copy_int(server, "SELECT (SELECT count(*) FROM responses) +"
						     " (SELECT count(*) FROM ratings)");
		cost = (calls - calls_before) - (recorded - recorded_before);
		ck_assert_msg(cost <= 2 * CONNECTIONS, "kill %d cost %lld calls", i, (long long)cost);
		ck_assert_int_le(at_int(stats, "repeated_by_key"), lost);
		ck_assert_int_le(at_int(stats, "repeated_by_body"), lost);
		lost += cost;
		json_object_put(stats);
		if (i < KILLS)
			leave_to_later(calls, recorded, KILLS - i - 1);
		else
			sim_control(sim, "{'hang_rate':0}");
		daemon_restart(server);
	}
	finish();
	ck_assert_int_eq(sim_stat(sim, "repeated_by_key"), lost);
	ck_assert_int_eq(sim_stat(sim, "distinct_keys"), ITEMS);
	ck_assert_int_eq(sim_stat(sim, "without_key"), 0);
	fprintf(stderr, "%d kills: %lld calls repeated by key, %lld by body\n", KILLS,
		(long long)sim_stat(sim, "repeated_by_key"),
		(long long)sim_stat(sim, "repeated_by_body"));
}
END_TEST

START_TEST(stopped)
{
	int64_t recorded = 0;

	begin("--latency_seconds=0.005");
	for (int i = 0; i < STOPS; i++) {
		recorded = await_news(recorded, STOPS - i);
		ck_assert_int_eq(daemon_stop(server), 0);
		ck_assert_int_eq(sim_stat(sim, "closed_early"), 0);
		daemon_restart(server);
	}
	finish();
	ck_assert_int_eq(sim_stat(sim, "repeated_by_key"), 0);
	ck_assert_int_eq(sim_stat(sim, "repeated_by_body"), 0);
	ck_assert_int_eq(sim_stat(sim, "calls"), ITEMS);
}
END_TEST

int main(void)
{
	return RUN_SUITE(killed, stopped);
}
