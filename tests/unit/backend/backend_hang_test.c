/*
 * Calls whose name lookup hangs are cancelled at once, and hold nobody up. This program is built
 * with the hanging getaddrinfo() inside, which libcurl then finds before the real one; it hangs
 * until it is released, and says when it begins and ends.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/backend/backend_fixture.h"
#include "tests/unit/suite.h"

#define WAIT_MILLISECONDS 60000

static int events[2], release[2];
static int n_threads_before; // any lookup
static int n_begun, n_ended;

static int n_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2; // . and ..
}

static void hanging_setup(void)
{
	char fd[16];

	ck_assert_int_eq(pipe2(events, O_NONBLOCK | O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(release, O_CLOEXEC), 0);
	snprintf(fd, sizeof(fd), "%d", events[1]);
	setenv("HANG_EVENTS_FD", fd, 1);
	snprintf(fd, sizeof(fd), "%d", release[0]);
	setenv("HANG_RELEASE_FD", fd, 1);
	setenv("HANG_SECONDS", "3600", 1);
	backend_fixture_setup();
	n_threads_before = n_threads();
}

/* Reads what the lookups have told so far. */
static void read_events(void)
{
	char what;

	while (read(events[0], &what, 1) == 1) {
		n_begun += what == '(';
		n_ended += what == ')';
	}
}

static void wait_for_lookup(void)
{
	struct pollfd readable = { .fd = events[0], .events = POLLIN };

	ck_assert_int_eq(poll(&readable, 1, WAIT_MILLISECONDS), 1);
	read_events();
	ck_assert_int_eq(n_begun, 1);
}

/* Lets the lookups go, and awaits the end of their threads: those should not run into the end of
 * the process. */
static void release_lookups(int n_threads_left)
{
	close(release[1]);
	for (int i = 0; n_threads() > n_threads_left; i++) {
		ck_assert_int_lt(i, WAIT_MILLISECONDS);
		(void)poll(NULL, 0, 1);
	}
	read_events();
}

static struct llm_target *hanging_target(void)
{
	struct ellu_llm_config config = test_config();

	config.llm_base_url = "http://model.hang.invalid/v1";
	return test_target(&config);
}

/* To a cold host one call goes first: one lookup, not twenty. */
START_TEST(one_goes_first)
{
	struct exchange *exchanges[20];
	struct llm_target *target;

	hanging_setup();
	target = hanging_target();
	for (int i = 0; i < 20; i++) {
		exchanges[i] = exchange_new(target, "Tell of rivers.", i);
		exchange_submit(exchanges[i]);
	}
	wait_for_lookup();
	flow_cancel(1);
	wait_for(20);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(exchanges[i]->call.outcome, LLM_CANCELLED);
		exchange_free(exchanges[i]);
	}
	release_lookups(n_threads_before);
	ck_assert_int_eq(n_begun, 1);
	llm_target_unref(target);
	backend_fixture_teardown();
}
END_TEST

START_TEST(cancel_during_lookup)
{
	struct ellu_llm_config config;
	struct exchange *stuck, *other;
	struct llm_target *targets[2];

	hanging_setup();
	config = test_config();
	targets[0] = hanging_target();
	targets[1] = test_target(&config);
	stuck = exchange_new(targets[0], "Tell of rivers.", 1);
	other = exchange_new(targets[1], "Tell of rivers.", 2);
	stuck->flow = 7;
	exchange_submit(stuck);
	wait_for_lookup();
	/* All of this while the lookup hangs, and nothing ends it. */
	exchange_submit(other);
	wait_for(1);
	ck_assert(other->done && !stuck->done);
	ck_assert_int_eq(other->call.outcome, LLM_ANSWERED);

	flow_cancel(7);
	wait_for(1);
	ck_assert_int_eq(stuck->call.outcome, LLM_CANCELLED);
	exchange_free(stuck);
	exchange_free(other);
	llm_target_unref(targets[0]);
	llm_target_unref(targets[1]);
	backend_fixture_teardown();
	read_events();
	ck_assert_int_eq(n_ended, 0);
	release_lookups(n_threads() - 1);
	ck_assert_int_eq(n_begun, 1);
	ck_assert_int_eq(n_ended, 1);
}
END_TEST

int main(void)
{
	return RUN_TESTS(one_goes_first, cancel_during_lookup);
}
