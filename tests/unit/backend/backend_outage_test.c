/* An endpoint that fails, or wants a long pause: its breaker, and what flows are told. */
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/limits/breaker.h"
#include "tests/unit/backend/backend_fixture.h"
#include "tests/unit/suite.h"

#define N_CALLS 20

static struct exchange *exchanges[N_CALLS + 4];
static int n_exchanges;
static struct llm_target *target;

/* ---- The breaker by itself ---- */

static void fail_until_open(struct breaker *breaker)
{
	for (int i = 1; i < BREAKER_FAILURES; i++) {
		ck_assert_int_eq(breaker_failed(breaker, false, 0), 0);
		ck_assert(!breaker_blocks(breaker));
	}
	ck_assert_int_gt(breaker_failed(breaker, false, 0), 0);
}

START_TEST(opens_probes_closes)
{
	struct breaker breaker = { 0 };

	ck_assert_str_eq(breaker_name(&breaker), "closed");
	ck_assert(!breaker_issued(&breaker));
	fail_until_open(&breaker);
	ck_assert_str_eq(breaker_name(&breaker), "open");
	ck_assert(breaker_blocks(&breaker));
	ck_assert(!breaker_issued(&breaker));
	/* What was under way when it opened. */
	ck_assert_int_eq(breaker_failed(&breaker, false, 0), 0);

	breaker_try(&breaker);
	ck_assert_str_eq(breaker_name(&breaker), "probing");
	ck_assert(!breaker_blocks(&breaker));
	ck_assert(breaker_issued(&breaker));
	ck_assert(breaker_blocks(&breaker));
	ck_assert(!breaker_issued(&breaker));
	breaker_probe_back(&breaker);
	ck_assert(breaker_answered(&breaker));
	ck_assert_str_eq(breaker_name(&breaker), "closed");
	ck_assert(!breaker_answered(&breaker));
	fail_until_open(&breaker);
}
END_TEST

START_TEST(an_answer_between_failures)
{
	struct breaker breaker = { 0 };

	for (int i = 1; i < BREAKER_FAILURES; i++)
		(void)breaker_failed(&breaker, false, 0);
	ck_assert(!breaker_answered(&breaker));
	fail_until_open(&breaker);
}
END_TEST

/* A probe that is taken back, as by a cancel, leaves its place to the next. */
START_TEST(probe_without_outcome)
{
	struct breaker breaker = { 0 };

	fail_until_open(&breaker);
	breaker_try(&breaker);
	ck_assert(breaker_issued(&breaker));
	breaker_probe_back(&breaker);
	ck_assert(!breaker_blocks(&breaker));
	ck_assert(breaker_issued(&breaker));
}
END_TEST

START_TEST(waits_grow)
{
	struct breaker breaker = { 0 };
	int64_t expected = BREAKER_BASE_USEC;

	for (int i = 1; i < BREAKER_FAILURES; i++)
		(void)breaker_failed(&breaker, false, 0);
	for (int i = 0; i < 40; i++) {
		struct breaker other = breaker;
		int64_t least = breaker_failed(&other, i > 0, 0);
		int64_t most = breaker_failed(&breaker, i > 0, 0.999999);

		ck_assert_int_eq(least, expected / 2);
		ck_assert_int_gt(most, least);
		ck_assert_int_le(most, expected);
		expected = expected * 2 < BREAKER_MAX_USEC ? expected * 2 : BREAKER_MAX_USEC;
		breaker_try(&breaker);
		ck_assert(breaker_issued(&breaker));
		breaker_probe_back(&breaker);
	}
}
END_TEST

/* ---- In the backend ---- */

static void setup_with(int64_t max_retries)
{
	static const int64_t max_connections = 4;
	struct ellu_llm_config config = test_config();

	backend_fixture_setup();
	config.max_connections = &max_connections;
	config.max_retries = &max_retries;
	target = test_target(&config);
}

static void teardown(void)
{
	for (int i = 0; i < n_exchanges; i++)
		exchange_free(exchanges[i]);
	llm_target_unref(target);
	backend_fixture_teardown();
}

static void submit(int n, int64_t flow)
{
	for (int i = 0; i < n; i++) {
		struct exchange *exchange = exchange_new(target, "Tell of rivers.", n_exchanges);

		exchange->flow = flow;
		exchanges[n_exchanges++] = exchange;
		exchange_submit(exchange);
	}
}

static int count(bool (*is)(const struct exchange *exchange))
{
	int n = 0;

	for (int i = 0; i < n_exchanges; i++)
		n += is(exchanges[i]);
	return n;
}

static bool is_answered(const struct exchange *exchange)
{
	return exchange->done && exchange->call.outcome == LLM_ANSWERED;
}

static bool is_cancelled(const struct exchange *exchange)
{
	return exchange->done && exchange->call.outcome == LLM_CANCELLED;
}

static bool is_failed(const struct exchange *exchange)
{
	return exchange->done && exchange->call.outcome == LLM_ITEM_FAILED;
}

static bool is_back(const struct exchange *exchange)
{
	return exchange->done;
}

static bool all_back(void)
{
	return count(is_back) == n_exchanges;
}

static bool newcomers_back(void)
{
	return exchanges[N_CALLS]->done && exchanges[N_CALLS + 1]->done &&
	       exchanges[N_CALLS + 2]->done;
}

static bool some_held(void)
{
	return flow_of(1)->n_holds > 0 && flow_of(1)->held;
}

static bool some_freed(void)
{
	return flow_of(1)->n_holds > 0 && !flow_of(1)->held;
}

static const struct backend_status *status_back;

static void on_status(struct backend_status *status)
{
	status_back = status;
	loop_stop(status->reply_to);
}

/* Of the only endpoint; `ret_wait` is negative when there is none. */
static char *breaker_now(double *ret_wait)
{
	struct backend_status asked = { .reply_to = home,
					.done = on_status, .user = 1 };
	const struct ellu_endpoint_status *endpoint;
	char *name;

	status_back = NULL;
	backend_status_get(backend, &asked);
	while (!status_back)
		loop_run(asked.reply_to);
	ck_assert_int_eq(asked.n_endpoints, 1);
	endpoint = asked.endpoints[0];
	*ret_wait = endpoint->wait_seconds ? *endpoint->wait_seconds : -1;
	name = strdup(endpoint->breaker);
	arena_done(&asked.arena);
	return name;
}

/* The flow has an answer from the endpoint. */
static void be_answered(int64_t flow)
{
	struct exchange *first = exchange_new(target, "Tell of rivers.", N_CALLS + 4);

	first->flow = flow;
	exchange_submit(first);
	wait_for(1);
	ck_assert_int_eq(first->call.outcome, LLM_ANSWERED);
	exchange_free(first);
}

static void begin_outage(int n)
{
	double wait;
	char *name;

	be_answered(1);
	sim_control("{\"error_500_rate\": 1}");
	submit(n, 1);
	wait_until(some_held);
	name = breaker_now(&wait);
	ck_assert(strcmp(name, "open") == 0 || strcmp(name, "probing") == 0);
	if (strcmp(name, "open") == 0)
		ck_assert_double_gt(wait, 0);
	free(name);
}

/* More calls than failures it takes, and one attempt each: none is used up. */
START_TEST(outage_is_waited_out)
{
	double wait;
	char *name;

	setup_with(0);
	submit(1, 1);
	wait_for(1);
	ck_assert_int_eq(count(is_answered), 1);
	sim_control("{\"error_500_rate\": 1}");
	submit(N_CALLS, 1);
	wait_until(some_held);
	ck_assert_int_eq(flow_of(1)->n_holds, 1); // told once
	sim_control("{\"error_500_rate\": 0}");
	wait_until(some_freed);
	wait_until(all_back);
	/* The failures before it opened are attempts; the one that opened it, and later ones, not. */
	ck_assert_int_eq(count(is_failed), BREAKER_FAILURES - 1);
	ck_assert_int_eq(count(is_answered), 1 + N_CALLS - (BREAKER_FAILURES - 1));
	name = breaker_now(&wait);
	ck_assert_str_eq(name, "closed");
	ck_assert_double_lt(wait, 0);
	free(name);
	teardown();
}
END_TEST

static int n_probes;

static bool was_probed(void)
{
	return flow_of(1)->n_notices > n_probes;
}

START_TEST(one_probe_at_a_time)
{
	setup_with(20);
	begin_outage(N_CALLS);
	sim_reset();
	n_probes = flow_of(1)->n_notices;
	wait_until(was_probed);
	/* A second apart at least, of which each takes half a second or more to come. */
	ck_assert_int_ge(sim_stat("calls"), 1);
	ck_assert_int_le(sim_stat("calls"), 3);
	ck_assert_int_eq(sim_stat("max_in_flight"), 1);
	flow_cancel(1);
	wait_until(all_back);
	teardown();
}
END_TEST

/* What a flow never reached is not waited for, though another one waits there. */
START_TEST(never_reached)
{
	setup_with(1);
	begin_outage(N_CALLS);
	submit(3, 2);
	wait_until(newcomers_back);
	for (int i = N_CALLS; i < N_CALLS + 3; i++) {
		ck_assert(is_failed(exchanges[i]));
		ck_assert_int_eq(exchanges[i]->call.attempts, 2);
	}
	ck_assert_int_eq(flow_of(2)->n_holds, 0);
	flow_cancel(1);
	wait_until(all_back);
	teardown();
}
END_TEST

/* Where nothing was reached ever, the breaker stays closed. */
START_TEST(stays_closed)
{
	double wait;
	char *name;

	setup_with(0);
	sim_control("{\"error_500_rate\": 1}");
	submit(N_CALLS, 1);
	wait_until(all_back);
	ck_assert_int_eq(count(is_failed), N_CALLS);
	name = breaker_now(&wait);
	ck_assert_str_eq(name, "closed");
	free(name);
	teardown();
}
END_TEST

START_TEST(cancel_while_open)
{
	setup_with(20);
	begin_outage(N_CALLS);
	flow_cancel(1);
	wait_until(all_back);
	ck_assert_int_eq(count(is_cancelled), N_CALLS);
	teardown();
}
END_TEST

/* An item that the endpoint breaks on is not asked for ever. */
START_TEST(probes_use_up_attempts)
{
	setup_with(0);
	begin_outage(BREAKER_FAILURES);
	wait_until(all_back);
	ck_assert_int_eq(count(is_failed), BREAKER_FAILURES);
	teardown();
}
END_TEST

START_TEST(long_pause)
{
	double wait;
	char *name;

	setup_with(3);
	sim_control("{\"error_503_rate\": 1, \"retry_after_seconds\": 6000}");
	submit(N_CALLS, 1);
	wait_until(some_held);
	name = breaker_now(&wait);
	ck_assert_str_eq(name, "closed");
	ck_assert_double_gt(wait, 2);
	ck_assert_double_le(wait, 6000);
	flow_cancel(1);
	wait_until(all_back); // or the test runs into its time limit
	ck_assert_int_eq(count(is_cancelled), N_CALLS);
	free(name);
	teardown();
}
END_TEST

/* A flow with a call under way is not held, nor is one whose pause is short. */
START_TEST(no_hold)
{
	setup_with(3);
	sim_control("{\"error_503_rate\": 1, \"faults_until\": 2, \"retry_after_seconds\": 1}");
	submit(N_CALLS, 1);
	wait_until(all_back);
	ck_assert_int_eq(count(is_answered), N_CALLS);
	ck_assert_int_eq(flow_of(1)->n_holds, 0);
	teardown();
}
END_TEST

int main(void)
{
	return RUN_TESTS(opens_probes_closes, an_answer_between_failures, probe_without_outcome,
			 waits_grow, outage_is_waited_out, one_probe_at_a_time, never_reached,
			 stays_closed, cancel_while_open, probes_use_up_attempts, long_pause,
			 no_hold);
}
