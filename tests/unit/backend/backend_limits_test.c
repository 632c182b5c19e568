/* What configs allow of requests and tokens, and what an endpoint says is left: calls wait before it
 * is too many, and it is said what for. */
#include <stdlib.h>
#include <string.h>

#include "elluminate-types.h"
#include "tests/unit/backend/backend_fixture.h"
#include "tests/unit/backend/raw_server.h"
#include "tests/unit/suite.h"

static struct backend_status asked;
static bool is_back;

static void on_status(struct backend_status *status)
{
	(void)status;
	is_back = true;
}

/* Of the only endpoint that the user has. */
static const struct ellu_endpoint_status *status_of(int64_t user)
{
	arena_done(&asked.arena);
	asked = (struct backend_status){ .user = user, .reply_to = home, .done = on_status };
	is_back = false;
	backend_status_get(backend, &asked);
	while (!is_back)
		run_for(0.001);
	ck_assert_int_eq(asked.n_endpoints, 1);
	return asked.endpoints[0];
}

static struct llm_target *targets[16]; // calls borrow them
static int n_targets;

static void teardown(void)
{
	while (n_targets > 0)
		llm_target_unref(targets[--n_targets]);
	arena_done(&asked.arena);
	backend_fixture_teardown();
}

static struct exchange *submit(const struct ellu_llm_config *config, int64_t user, int64_t flow)
{
	struct exchange *exchange;

	targets[n_targets] = test_target(config);
	exchange = exchange_new(targets[n_targets++], "Tell of rivers.", 0);

	exchange->user = user;
	exchange->flow = flow;
	exchange_submit(exchange);
	return exchange;
}

static int64_t held_flow;

static bool is_held(void)
{
	return flow_of(held_flow)->held;
}

/* `allowed` calls of two tasks go; one more waits, and is told so; others are not concerned. */
static void expect_wait(struct ellu_llm_config config, int allowed, const char *words)
{
	static const int64_t cap = 1;
	struct ellu_llm_config unlimited = test_config();
	struct exchange *exchanges[8];
	const struct ellu_endpoint_status *status;
	int n = 0;

	config.max_connections = &cap;
	for (; n < allowed; n++) {
		exchanges[n] = submit(&config, 1, 1 + n % 2);
		wait_for(1);
	}
	held_flow = 3;
	exchanges[n++] = submit(&config, 1, held_flow);
	wait_until(is_held);
	ck_assert_ptr_nonnull(strstr(flow_of(held_flow)->hold, words));
	status = status_of(1);
	ck_assert_int_eq(status->waiting, 1);
	ck_assert_ptr_nonnull(strstr(status->waits_for, words));
	ck_assert(*status->wait_seconds > 2);
	ck_assert_int_eq(sim_stat("calls"), allowed);

	exchanges[n++] = submit(&config, 2, 4);
	exchanges[n++] = submit(&unlimited, 1, 5);
	wait_for(2);
	flow_cancel(held_flow);
	wait_for(1);
	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(exchanges[i]->call.outcome,
				 i == allowed ? LLM_CANCELLED : LLM_ANSWERED);
		exchange_free(exchanges[i]);
	}
}

START_TEST(requests)
{
	static const int64_t two = 2;
	struct ellu_llm_config config = test_config();

	backend_fixture_setup();
	config.requests_per_minute = &two;
	expect_wait(config, 1, "the config allows 2 requests a minute");
	teardown();
}
END_TEST

START_TEST(requests_of_a_day)
{
	static const int64_t three = 3;
	struct ellu_llm_config config = test_config();
	const struct ellu_endpoint_status *status;

	backend_fixture_setup();
	config.requests_per_day = &three;
	expect_wait(config, 3, "the config allows 3 requests a day");
	status = status_of(1);
	ck_assert_int_eq(*status->requests_left_today, 0);
	ck_assert_ptr_null(status->tokens_left_today);
	status = status_of(2);
	ck_assert_int_eq(*status->requests_left_today, 2);
	teardown();
}
END_TEST

START_TEST(tokens)
{
	static const int64_t few = 2;
	struct ellu_llm_config config = test_config();

	backend_fixture_setup();
	config.tokens_per_minute = &few;
	expect_wait(config, 1, "the config allows 2 tokens a minute");
	teardown();
}
END_TEST

/* Put right by what the answer says: a large estimate, of which hardly anything was taken. */
START_TEST(tokens_are_corrected)
{
	static const int64_t many = 100000, most = 90000;
	struct ellu_llm_config config = test_config();
	struct exchange *exchanges[4];
	const struct ellu_endpoint_status *status;
	int64_t taken = 0;

	backend_fixture_setup();
	config.tokens_per_minute = config.tokens_per_day = &many;
	config.max_tokens = &most;
	for (int i = 0; i < 4; i++) {
		exchanges[i] = submit(&config, 1, 1);
		wait_for(1);
		taken += exchanges[i]->call.input_tokens + exchanges[i]->call.output_tokens;
	}
	status = status_of(1);
	ck_assert_int_eq(*status->tokens_left_today, many - taken);
	for (int i = 0; i < 4; i++)
		exchange_free(exchanges[i]);
	teardown();
}
END_TEST

#define ANSWER "{\"choices\":[{\"message\":{\"content\":\"Hello.\"},\"finish_reason\":\"stop\"}]}"

/* Without any configuration: what the endpoint says is left. */
START_TEST(told)
{
	static const struct raw_reply last = {
		.bytes = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			 "x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 50s\r\n"
			 "x-ratelimit-remaining-tokens: 12000\r\nx-ratelimit-limit-tokens: 40000\r\n"
			 "x-ratelimit-reset-tokens: 1m\r\n\r\n" ANSWER };
	struct ellu_llm_config config = test_config();
	const struct ellu_endpoint_status *status;
	struct raw_server server;
	struct exchange *first, *second;

	backend_fixture_setup();
	raw_server_start(&server, &last);
	config.llm_base_url = server.url;
	first = submit(&config, 1, 1);
	wait_for(1);
	held_flow = 2;
	second = submit(&config, 1, held_flow);
	wait_until(is_held);
	ck_assert_ptr_nonnull(strstr(flow_of(held_flow)->hold, "of its requests none are left"));
	status = status_of(1);
	ck_assert_int_eq(*status->requests_left, 0);
	ck_assert_int_ge(*status->tokens_left, 12000);
	ck_assert(*status->wait_seconds > 2 && *status->wait_seconds <= 50);
	flow_cancel(held_flow);
	wait_for(1);
	ck_assert_int_eq(first->call.outcome, LLM_ANSWERED);
	exchange_free(first);
	exchange_free(second);
	raw_server_stop(&server);
	teardown();
}
END_TEST

/* A refusal that says only when there is something again. */
START_TEST(told_with_a_refusal)
{
	static const struct raw_reply refusal = {
		.bytes = "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n"
			 "x-ratelimit-reset: 300\r\n\r\n{\"error\":{\"message\":\"Slow down\"}}" };
	struct ellu_llm_config config = test_config();
	struct raw_server server;
	struct exchange *refused;
	double seconds;

	backend_fixture_setup();
	raw_server_start(&server, &refusal);
	config.llm_base_url = server.url;
	held_flow = 1;
	refused = submit(&config, 1, held_flow);
	wait_until(is_held);
	ck_assert_ptr_nonnull(strstr(flow_of(held_flow)->hold, "it asks for a pause: "));
	seconds = *status_of(1)->wait_seconds;
	ck_assert_msg(seconds > 100 && seconds <= 300, "%g", seconds);
	flow_cancel(held_flow);
	wait_for(1);
	exchange_free(refused);
	raw_server_stop(&server);
	teardown();
}
END_TEST

int main(void)
{
	return RUN_TESTS(requests, requests_of_a_day, tokens, tokens_are_corrected, told, told_with_a_refusal);
}
