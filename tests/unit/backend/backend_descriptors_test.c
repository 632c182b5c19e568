/* A process with too few file descriptors: calls wait for it, and none fails. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/backend/account.h"
#include "tests/unit/backend/backend_fixture.h"
#include "tests/unit/suite.h"

#define N_CALLS 60

static struct exchange *exchanges[N_CALLS];
static struct llm_target *target;
static struct rlimit files;

static void setup(int64_t max_connections)
{
	static const int64_t no_retries = 0;
	struct ellu_llm_config config = test_config();

	backend_fixture_setup();
	config.max_connections = &max_connections;
	config.max_retries = &no_retries;
	target = test_target(&config);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
}

static void teardown(void)
{
	llm_target_unref(target);
	backend_fixture_teardown();
}

/* So many more can be opened. */
static void leave_descriptors(unsigned n)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct rlimit few = files;

	ck_assert_int_ge(fd, 0);
	close(fd);
	few.rlim_cur = (rlim_t)fd + n;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static void leave_all(void)
{
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
}

static void run_calls(int n, int64_t user)
{
	for (int i = 0; i < n; i++) {
		exchanges[i] = exchange_new(target, "Tell of rivers.", i);
		exchanges[i]->flow = exchanges[i]->user = user;
		exchange_submit(exchanges[i]);
	}
	wait_for(n);
	for (int i = 0; i < n; i++) {
		ck_assert_msg(exchanges[i]->call.outcome == LLM_ANSWERED, "%s",
			      exchanges[i]->call.fault.message);
		ck_assert_int_eq(exchanges[i]->call.attempts, 1);
		exchange_free(exchanges[i]);
	}
}

START_TEST(calls_wait_for_each_other)
{
	setup(40);
	sim_control("{\"latency_seconds\": 0.01}");
	leave_descriptors(9);
	run_calls(N_CALLS, 1);
	leave_all();
	ck_assert_int_lt(sim_stat("max_in_flight"), 10);
	run_calls(N_CALLS, 1);
	ck_assert_int_eq(sim_stat("calls"), 2 * N_CALLS);
	teardown();
}
END_TEST

/* Nothing can be opened, and nothing is in flight that will end. */
START_TEST(none_at_all)
{
	struct exchange *exchange;

	setup(4);
	leave_descriptors(0);
	exchange = exchange_new(target, "Tell of rivers.", 0);
	exchange_submit(exchange);
	while (flow_of(exchange->flow)->n_notices == 0)
		run_for(0.001);
	ck_assert(!exchange->done);
	leave_all();
	wait_for(1);
	ck_assert_int_eq(exchange->call.outcome, LLM_ANSWERED);
	ck_assert_int_eq(exchange->call.attempts, 1);
	exchange_free(exchange);
	teardown();
}
END_TEST

START_TEST(idle_connections_give_way)
{
	setup(8);
	sim_control("{\"latency_seconds\": 0.05}");
	run_calls(8, 1);
	leave_descriptors(0);
	run_calls(4, 2);
	leave_all();
	teardown();
}
END_TEST

/* Of what there is, endpoints do not get all. */
START_TEST(a_share_is_kept)
{
	struct rlimit few;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &few), 0);
	few.rlim_cur = 104;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	setup(40);
	sim_control("{\"latency_seconds\": 0.02}");
	run_calls(N_CALLS, 1);
	ck_assert_int_le(sim_stat("max_in_flight"), 20);
	teardown();
}
END_TEST

static char public_file[] = "/tmp/ellu-public-XXXXXX";

static void setup_account(void)
{
	static const int64_t no_retries = 0;
	struct ellu_llm_config config;
	char *account, url[128], settings[128];

	setup(1);
	snprintf(url, sizeof(url), "%.*s/token", (int)(strstr(base_url, "/v1") - base_url), base_url);
	ck_assert_int_eq(close(mkstemp(public_file)), 0);
	account = account_new(url, public_file);
	snprintf(settings, sizeof(settings), "{\"account_key\": \"%s\", \"token_seconds\": 1e-9}", public_file);
	sim_control(settings);
	snprintf(url, sizeof(url), "%s/projects/p/locations/l", base_url);
	config = test_config();
	config.provider = "vertex";
	config.llm_base_url = url;
	config.api_key = account;
	config.max_retries = &no_retries;
	llm_target_unref(target);
	target = test_target(&config);
	free(account);
}

static void teardown_account(void)
{
	ck_assert_int_eq(unlink(public_file), 0);
	teardown();
}

static void must_wait(void)
{
	struct exchange *exchange = exchange_new(target, "Tell of rivers.", 0);

	leave_descriptors(0);
	exchange_submit(exchange);
	while (!exchange->done && flow_of(exchange->flow)->n_notices == 0)
		run_for(0.001);
	ck_assert_msg(!exchange->done, "%s", exchange->call.fault.message);
	leave_all();
	wait_for(1);
	ck_assert_int_eq(exchange->call.outcome, LLM_ANSWERED);
	ck_assert_int_eq(exchange->call.attempts, 1);
	exchange_free(exchange);
}

/* What has no token yet waits as well: here for the thread that signs, */
START_TEST(none_to_sign)
{
	setup_account();
	must_wait();
	teardown_account();
}
END_TEST

/* and here for the connection that the token comes over. */
START_TEST(none_to_ask_for_a_token)
{
	setup_account();
	run_calls(1, 1);
	must_wait();
	teardown_account();
}
END_TEST

int main(void)
{
	return RUN_TESTS(calls_wait_for_each_other, none_at_all, idle_connections_give_way,
			 a_share_is_kept, none_to_sign, none_to_ask_for_a_token);
}
