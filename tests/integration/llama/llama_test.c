/*
 * An experiment on a real engine: llama.cpp, as npm's @fugood/llama.node has it built, with a
 * small model of random weights. What it says is gibberish and often cut within a character; its
 * verdicts are forced into their form by a grammar.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tests/harness/process.h"
#include "tests/harness/suite.h"

#define VERSION "1.7.15"
#define ROWS 40
#define CRITERIA 2
#define MAX_TOKENS 48
#define REPLACEMENT "\xef\xbf\xbd"

static const char *folder; // where it is installed

/* Its base URL. */
static const char *start_engine(void)
{
	const char *log = dir_path(folder, "log");
	char port[16] = "";
	struct pollfd ready = { .events = POLLIN };
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	process_start(&(struct process_options) {
		.path = "/usr/bin/env",
		.arguments = (const char *[]) { "node", LLAMA_SERVER, folder, NULL },
		.output = log,
		.ready_fd = fds[1],
		.stdout_fd = STDERR_FILENO });
	close(fds[1]);
	ready.fd = fds[0];
	if (poll(&ready, 1, (int)(WAIT_SECONDS * 1000)) != 1 || read(fds[0], port, sizeof(port) - 1) <= 0)
		die("the engine does not start: %s", file_read(log, NULL));
	close(fds[0]);
	return text("http://127.0.0.1:%d/v1", atoi(port));
}

static bool is_honest(json_object *error)
{
	return at_text(error, "message")[0] && at_text(error, "code")[0];
}

/* Each has the answer, how long it took and what it cost; or what was wrong. */
static size_t check_response(json_object *response, size_t *n_replaced, size_t *n_cut)
{
	size_t n_ratings = at_count(response, "ratings"), n_good = 0;

	ck_assert_double_gt(at_number(response, "duration_seconds"), 0);
	if (at_has(response, "error")) {
		ck_assert_msg(is_honest(at_json(response, "error")), "%s",
			      json_object_to_json_string(response));
		return 0;
	}
	ck_assert_int_gt(at_int(response, "input_tokens"), 0);
	ck_assert_int_gt(at_int(response, "output_tokens"), 0);
	ck_assert_int_le(at_int(response, "output_tokens"), MAX_TOKENS);
	*n_replaced += strstr(at_text(response, "response_text"), REPLACEMENT) != NULL;
	*n_cut += at_is(response, "finish_reason", "length");
	ck_assert_uint_eq(n_ratings, CRITERIA);
	for (size_t i = 0; i < n_ratings; i++) {
		json_object *rating = at_json(response, text("ratings.%zu", i));

		if (at_has(rating, "error")) {
			ck_assert_msg(is_honest(at_json(rating, "error")), "%s",
				      json_object_to_json_string(rating));
			continue;
		}
		ck_assert_msg(at_is(rating, "rating", "YES") || at_is(rating, "rating", "NO"), "%s",
			      json_object_to_json_string(rating));
		n_good++;
	}
	return n_good;
}

START_TEST(gibberish)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *task = experiment_run(wire, &(struct experiment) {
		.url = start_engine(), .rows = ROWS, .n_criteria = CRITERIA, .max_connections = 4,
		.config = "'max_tokens':48" });
	json_object *responses;
	size_t n_good = 0, n_replaced = 0, n_cut = 0;

	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
			     (long long)at_int(task, "experiment_id"));
	ck_assert_uint_eq(json_object_array_length(responses), ROWS);
	for (size_t i = 0; i < ROWS; i++)
		n_good += check_response(json_object_array_get_idx(responses, i), &n_replaced, &n_cut);
	fprintf(stderr, "%zu verdicts; %zu answers of broken UTF-8, %zu cut short\n", n_good, n_replaced,
		n_cut);
	ck_assert_uint_gt(n_good, 0);
	ck_assert_uint_gt(n_replaced, 0);
	ck_assert_uint_gt(n_cut, 0);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* What npm calls this machine; NULL: nothing is built for it. */
static const char *architecture(void)
{
	struct utsname name;

	if (uname(&name) < 0)
		die("uname");
	return strcmp(name.machine, "x86_64") == 0 ? "x64" :
	       strcmp(name.machine, "aarch64") == 0 ? "arm64" : NULL;
}

/* The library alone, without the builds for other hardware. */
static void install(const char *machine)
{
	folder = dir_new();
	if (system(text("cd %s && npm install --prefix . --omit=optional --no-audit --no-fund "
			"--ignore-scripts --loglevel=error @fugood/llama.node@" VERSION
			" @fugood/node-llama-linux-%s@" VERSION " >&2", folder, machine)) != 0)
		die("@fugood/llama.node cannot be installed: npm or its registry cannot be reached");
}

int main(void)
{
	if (!getenv("ELLU_TEST_ALL") || SLOW_BUILD || !architecture()) {
		fputs("set ELLU_TEST_ALL, in a build without sanitizers, to install llama.cpp and test "
		      "with it\n", stderr);
		return EXIT_SKIPPED;
	}
	dir_prepare();
	install(architecture());
	return RUN_SUITE(gibberish);
}
