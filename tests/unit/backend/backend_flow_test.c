/* Who goes when, and how calls are ended: admission, cancelling, draining, the simulated model. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/backend/backend_fixture.h"
#include "tests/unit/suite.h"

#define N_MANY 300

static struct exchange *exchanges[N_MANY];
static struct llm_target *target;

/* `cap` is that of the flow, 0: none. */
static void submit_capped(int from, int n, int64_t flow, int cap)
{
	for (int i = from; i < from + n; i++) {
		exchanges[i] = exchange_new(target, "Tell of rivers.", i);
		exchanges[i]->flow = flow;
		exchanges[i]->cap = cap;
		exchange_submit(exchanges[i]);
	}
}

static void submit(int from, int n, int64_t flow)
{
	submit_capped(from, n, flow, 0);
}

static int count(int from, int n, enum llm_outcome outcome)
{
	int found = 0;

	for (int i = from; i < from + n; i++)
		found += exchanges[i]->done && exchanges[i]->call.outcome == outcome;
	return found;
}

static int last_order(int from, int n)
{
	int last = 0;

	for (int i = from; i < from + n; i++)
		last = exchanges[i]->order > last ? exchanges[i]->order : last;
	return last;
}

static void forget(int n)
{
	for (int i = 0; i < n; i++)
		exchange_free(exchanges[i]);
}

static void setup_with(int64_t max_connections)
{
	struct ellu_llm_config config = test_config();

	backend_fixture_setup();
	config.max_connections = &max_connections;
	target = test_target(&config);
}

static void teardown(void)
{
	llm_target_unref(target);
	backend_fixture_teardown();
}

START_TEST(max_connections)
{
	setup_with(7);
	sim_control("{\"latency_seconds\": 0.005}");
	submit(0, N_MANY, 1);
	wait_for(N_MANY);
	ck_assert_int_eq(count(0, N_MANY, LLM_ANSWERED), N_MANY);
	ck_assert_int_eq(sim_stat("max_in_flight"), 7);
	ck_assert_int_le(sim_stat("connections_total"), 7 + 8); // and the test's own
	forget(N_MANY);
	teardown();
}
END_TEST

START_TEST(flow_connections)
{
	setup_with(20);
	sim_control("{\"latency_seconds\": 0.01}");
	submit_capped(0, 40, 1, 3);
	wait_for(40);
	ck_assert_int_eq(sim_stat("max_in_flight"), 3);
	forget(40);
	teardown();
}
END_TEST

START_TEST(flows_in_turn)
{
	setup_with(2);
	sim_control("{\"latency_seconds\": 0.01}");
	submit(0, 100, 1);
	submit(100, 4, 2);
	wait_for(104);
	ck_assert_int_lt(last_order(100, 4), 14);
	forget(104);
	teardown();
}
END_TEST

START_TEST(users_in_turn)
{
	setup_with(1);
	sim_control("{\"latency_seconds\": 0.002}");
	for (int i = 0; i < 120; i++) {
		exchanges[i] = exchange_new(target, "Tell of rivers.", i);
		/* Two flows of one user, then one of another. */
		exchanges[i]->flow = i < 100 ? i % 2 : 9;
		exchanges[i]->user = i < 100 ? 1 : 2;
		exchange_submit(exchanges[i]);
	}
	wait_for(120);
	ck_assert_int_lt(last_order(100, 20), 50);
	ck_assert_int_gt(last_order(100, 20), 35);
	forget(120);
	teardown();
}
END_TEST

START_TEST(priorities)
{
	int interactive = 0;

	setup_with(1);
	sim_control("{\"latency_seconds\": 0.002}");
	for (int i = 0; i < 200; i++) {
		exchanges[i] = exchange_new(target, "Tell of rivers.", i);
		exchanges[i]->flow = i % 2;
		exchanges[i]->priority = i % 2 ? 0 : 2;
		exchange_submit(exchanges[i]);
	}
	wait_for(200);
	for (int i = 1; i < 200; i += 2)
		interactive += exchanges[i]->order <= 85;
	ck_assert_int_ge(interactive, 78); // 16 of 17
	ck_assert_int_le(interactive, 82);
	forget(200);
	teardown();
}
END_TEST

/* The loop runs meanwhile. */
static void await_stat(const char *name, int64_t at_least)
{
	while (sim_stat(name) < at_least) // or the test runs into its time limit
		run_for(0.01);
}

/* Nothing but the cancel ends these calls within the test's own time limit. How fast it is,
 * bench/cancel measures. */
START_TEST(cancel)
{
	static const int64_t cap = 64;
	struct ellu_llm_config config = test_config();

	backend_fixture_setup();
	config.max_connections = &cap;
	config.timeout_seconds = config.first_byte_seconds = config.stall_seconds = 1000;
	target = test_target(&config);
	sim_control("{\"hang_rate\": 1}");
	submit(0, 100, 1);
	submit(100, 1, 2);
	await_stat("in_flight", 64);
	ck_assert_int_eq(sim_stat("in_flight"), 64);
	flow_cancel(1);
	wait_for(100);
	ck_assert_int_eq(count(0, 100, LLM_CANCELLED), 100);
	ck_assert(!exchanges[100]->done);
	await_stat("closed_early", 63); // the other flow may have one of the 64
	flow_cancel(2);
	wait_for(1);
	forget(101);
	teardown();
}
END_TEST

START_TEST(drain)
{
	setup_with(5);
	sim_control("{\"latency_seconds\": 0.3}");
	submit(0, 20, 1);
	await_stat("in_flight", 5);
	ck_assert_int_eq(backend_drain(backend), 0);
	wait_for(20);
	ck_assert_int_eq(count(0, 20, LLM_ANSWERED), 5);
	ck_assert_int_eq(count(0, 20, LLM_CANCELLED), 15);
	submit(20, 1, 1);
	wait_for(1);
	ck_assert_int_eq(count(20, 1, LLM_CANCELLED), 1);
	ck_assert_int_eq(sim_stat("calls"), 5);
	forget(21);
	teardown();
}
END_TEST

START_TEST(drain_of_a_flow)
{
	setup_with(5);
	sim_control("{\"latency_seconds\": 0.3}");
	submit(0, 20, 1);
	await_stat("in_flight", 5);
	submit(20, 10, 2);
	ck_assert_int_eq(backend_flow_drain(flow_of(1)->flow), 0);
	wait_for(30);
	ck_assert_int_eq(count(0, 20, LLM_ANSWERED), 5);
	ck_assert_int_eq(count(0, 20, LLM_CANCELLED), 15);
	ck_assert_int_eq(count(20, 10, LLM_ANSWERED), 10);
	/* What comes later is served. */
	submit(30, 1, 1);
	wait_for(1);
	ck_assert_int_eq(count(30, 1, LLM_ANSWERED), 1);
	/* An error of what is in flight is not tried again. */
	sim_control("{\"error_500_rate\": 1}");
	submit(31, 5, 1);
	await_stat("in_flight", 5);
	ck_assert_int_eq(backend_flow_drain(flow_of(1)->flow), 0);
	wait_for(5);
	ck_assert_int_eq(count(31, 5, LLM_CANCELLED), 5);
	forget(36);
	teardown();
}
END_TEST

START_TEST(cap_of_a_flow_changes)
{
	setup_with(20);
	sim_control("{\"latency_seconds\": 0.05}");
	submit_capped(0, 60, 7, 3);
	wait_for(6);
	ck_assert_int_eq(sim_stat("max_in_flight"), 3);
	ck_assert_int_eq(backend_flow_tune(flow_of(7)->flow, 1, 9), 0);
	wait_for(24);
	ck_assert_int_eq(sim_stat("max_in_flight"), 9);
	ck_assert_int_eq(backend_flow_tune(flow_of(7)->flow, 1, 2), 0);
	wait_for(12);
	sim_control("{\"latency_seconds\": 0.01}");
	ck_assert_int_le(sim_stat("in_flight"), 2);
	wait_for(18);
	ck_assert_int_eq(count(0, 60, LLM_ANSWERED), 60);
	forget(60);
	teardown();
}
END_TEST

START_TEST(priority_of_a_flow_changes)
{
	setup_with(1);
	sim_control("{\"latency_seconds\": 0.005}");
	for (int i = 0; i < 60; i++) {
		exchanges[i] = exchange_new(target, "Tell of rivers.", i);
		exchanges[i]->flow = i < 40 ? 1 : 2;
		exchanges[i]->priority = 2;
		exchange_submit(exchanges[i]);
	}
	wait_for(4);
	ck_assert_int_eq(backend_flow_tune(flow_of(2)->flow, 0, 0), 0);
	wait_for(56);
	/* From now on 16 of the one for each of the other. */
	ck_assert_int_lt(last_order(40, 20), 30);
	ck_assert_int_eq(count(0, 60, LLM_ANSWERED), 60);
	forget(60);
	teardown();
}
END_TEST

START_TEST(drain_does_not_retry)
{
	setup_with(5);
	sim_control("{\"latency_seconds\": 0.2, \"error_500_rate\": 1}");
	submit(0, 5, 1);
	await_stat("in_flight", 5);
	ck_assert_int_eq(backend_drain(backend), 0);
	wait_for(5);
	ck_assert_int_eq(count(0, 5, LLM_CANCELLED), 5);
	forget(5);
	teardown();
}
END_TEST

/* Without a cap: ten at first, more on evidence. */
START_TEST(grows)
{
	struct ellu_llm_config config = test_config();

	backend_fixture_setup();
	target = test_target(&config);
	sim_control("{\"latency_seconds\": 0.1}");
	submit(0, 60, 1);
	await_stat("max_in_flight", 10);
	ck_assert_int_eq(sim_stat("max_in_flight"), 10);
	wait_for(60);
	ck_assert_int_gt(sim_stat("max_in_flight"), 12);
	ck_assert_int_lt(sim_stat("max_in_flight"), 20);
	forget(60);
	teardown();
}
END_TEST

static void simulated_with(const char *custom)
{
	static const int64_t retries = 50;
	struct ellu_llm_config config = test_config();

	config.provider = "simulated";
	config.llm_base_url = NULL;
	config.custom = custom;
	config.max_retries = &retries;
	target = test_target(&config);
}

START_TEST(simulated)
{
	char *first;
	double took;

	backend_fixture_setup();
	simulated_with(NULL);
	submit(0, N_MANY, 1);
	took = wait_for(N_MANY);
	ck_assert_int_eq(count(0, N_MANY, LLM_ANSWERED), N_MANY);
	ck_assert_double_lt(took, 1);
	first = strdup(exchanges[0]->call.text);
	ck_assert_str_eq(exchanges[1]->call.text, first);
	ck_assert_int_gt(exchanges[0]->call.output_tokens, 0);
	forget(N_MANY);
	llm_target_unref(target);

	/* 300 calls of 20 ms, 64 at a time at most. */
	simulated_with("{\"latency_seconds\": 0.02, \"seed\": 7}");
	submit(0, N_MANY, 1);
	took = wait_for(N_MANY);
	ck_assert_double_gt(took, 0.09);
	ck_assert_double_lt(took, 0.9);
	forget(N_MANY);
	llm_target_unref(target);

	/* Beyond the test's own time limit: nothing but the cancel ends these. */
	simulated_with("{\"latency_seconds\": 100}");
	submit(0, 30, 3);
	run_for(0.02);
	flow_cancel(3);
	wait_for(30);
	ck_assert_int_eq(count(0, 30, LLM_CANCELLED), 30);
	forget(30);
	free(first);
	teardown();
}
END_TEST

START_TEST(simulated_faults)
{
	int64_t attempts = 0;

	backend_fixture_setup();
	simulated_with("{\"error_rate\": 0.3, \"rate_limit_rate\": 0.05}");
	submit(0, 100, 1);
	wait_for(100);
	ck_assert_int_eq(count(0, 100, LLM_ANSWERED), 100);
	for (int i = 0; i < 100; i++)
		attempts += exchanges[i]->call.attempts;
	ck_assert_int_gt(attempts, 115);
	ck_assert_int_lt(attempts, 200);
	forget(100);
	teardown();
}
END_TEST

static struct backend_status *status_back;

static void on_status(struct backend_status *status)
{
	status_back = status;
}

START_TEST(status)
{
	struct backend_status asked = { .user = 1 };
	const struct ellu_endpoint_status *endpoint;

	setup_with(4);
	sim_control("{\"latency_seconds\": 0.3}");
	submit(0, 10, 1);
	await_stat("in_flight", 4);
	asked.reply_to = home;
	asked.done = on_status;
	backend_status_get(backend, &asked);
	while (!status_back)
		run_for(0.01);
	ck_assert_ptr_eq(status_back, &asked);
	ck_assert_int_eq(asked.n_endpoints, 1);
	endpoint = asked.endpoints[0];
	ck_assert_int_eq(endpoint->in_flight, 4);
	ck_assert_int_eq(endpoint->waiting, 6);
	ck_assert_int_eq(endpoint->working_concurrency, 4);
	ck_assert_int_eq(endpoint->calls, 4);
	ck_assert_str_eq(endpoint->llm_model_name, "m");
	ck_assert_int_eq(strncmp(endpoint->origin, "http://127.0.0.1:", 17), 0);
	arena_done(&asked.arena);
	wait_for(10);
	forget(10);
	teardown();
}
END_TEST

/* Five endpoints want 320 slots of 256, of which one is for interactive calls alone. */
START_TEST(global_cap)
{
	static const char *const models[] = { "a", "b", "c", "d", "e" };
	static const int64_t cap = 64;
	struct llm_target *targets[5];
	struct ellu_llm_config config = test_config();

	backend_fixture_setup();
	ck_assert_int_eq(backend_set_limits(backend, 256, 256), 0);
	config.provider = "simulated";
	config.custom = "{\"latency_seconds\": 0.5}";
	config.max_connections = &cap;
	for (int i = 0; i < 5; i++) {
		config.llm_model_name = models[i];
		targets[i] = test_target(&config);
	}
	for (int i = 0; i < 290; i++) {
		target = targets[i % 5];
		submit(i, 1, i % 7);
	}
	run_for(0.1);
	exchanges[290] = exchange_new(targets[0], "Now.", 290);
	exchanges[290]->flow = 99;
	exchanges[290]->priority = 0;
	exchange_submit(exchanges[290]);
	wait_for(256);
	ck_assert_int_eq(count(0, 290, LLM_ANSWERED), 255);
	ck_assert(exchanges[290]->done);
	wait_for(35);
	forget(291);
	for (int i = 0; i < 5; i++)
		llm_target_unref(targets[i]);
	backend_fixture_teardown();
}
END_TEST

int main(void)
{
	return RUN_TESTS(max_connections, flow_connections, flows_in_turn, users_in_turn, priorities,
			 cancel, drain, drain_of_a_flow, cap_of_a_flow_changes,
			 priority_of_a_flow_changes, drain_does_not_retry, grows, simulated, simulated_faults,
			 status, global_cap);
}
