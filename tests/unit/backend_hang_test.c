/* SPDX-License-Identifier: MIT */
/*
 * Calls whose name lookup hangs are cancelled at once, and hold nobody up. This program is built
 * with the hanging getaddrinfo() inside, which libcurl then finds before the real one.
 */
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/backend_fixture.h"
#include "tests/unit/suite.h"

static int n_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2; // . and ..
}

/* To a cold host one call goes first: one lookup, not twenty. */
START_TEST(one_goes_first)
{
	struct ellu_llm_config config = test_config();
	struct exchange *exchanges[20];
	struct llm_target *target;
	int before;

	setenv("HANG_SECONDS", "0.5", 1);
	backend_fixture_setup();
	config.llm_base_url = "http://model.hang.invalid/v1";
	target = test_target(&config);
	before = n_threads();
	for (int i = 0; i < 20; i++) {
		exchanges[i] = exchange_new(target, "Tell of rivers.", i);
		exchange_submit(exchanges[i]);
	}
	run_for(0.1);
	ck_assert_int_eq(n_threads(), before + 1);
	ck_assert_int_eq(backend_cancel_flow(backend, 1), 0);
	wait_for(20);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(exchanges[i]->call.outcome, LLM_CANCELLED);
		exchange_free(exchanges[i]);
	}
	llm_target_unref(target);
	backend_fixture_teardown();
	sleep(1);
}
END_TEST

START_TEST(cancel_during_lookup)
{
	struct ellu_llm_config hanging = test_config(), good = test_config();
	struct exchange *stuck, *other;
	struct llm_target *targets[2];
	double start;

	setenv("HANG_SECONDS", "1.5", 1);
	backend_fixture_setup();
	hanging.llm_base_url = "http://model.hang.invalid/v1";
	targets[0] = test_target(&hanging);
	targets[1] = test_target(&good);
	stuck = exchange_new(targets[0], "Tell of rivers.", 1);
	other = exchange_new(targets[1], "Tell of rivers.", 2);
	stuck->call.flow = 7;
	exchange_submit(stuck);
	run_for(0.1);
	exchange_submit(other);
	ck_assert_double_lt(wait_for(1), 0.5);
	ck_assert(other->done && !stuck->done);

	start = seconds_now();
	ck_assert_int_eq(backend_cancel_flow(backend, 7), 0);
	wait_for(1);
	ck_assert_double_lt(seconds_now() - start, 0.05);
	ck_assert_int_eq(stuck->call.outcome, LLM_CANCELLED);
	exchange_free(stuck);
	exchange_free(other);
	llm_target_unref(targets[0]);
	llm_target_unref(targets[1]);
	start = seconds_now();
	backend_fixture_teardown();
	ck_assert_double_lt(seconds_now() - start, 0.5);
	/* The lookup's thread ends by itself; it should not run into the process's end. */
	sleep(2);
}
END_TEST

int main(void)
{
	return RUN_TESTS(one_goes_first, cancel_during_lookup);
}
