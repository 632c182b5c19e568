/*
 * Experiments on an endpoint that somebody else wrote: @dwmkerr/mock-llm, from npm's registry.
 * It repeats the message, without a usage; where the message has a quote its answer is broken
 * and comes as a 500.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/outsider.h"
#include "tests/harness/process.h"
#include "tests/harness/suite.h"

#define PACKAGE "@dwmkerr/mock-llm@0.1.29"

static const char *folder; // where it is installed

/* Its base URL. */
static const char *start_endpoint(void)
{
	uint16_t port = outsider_port();
	const char *log = dir_path(folder, "log");

	process_start(&(struct process_options) {
		.path = "/usr/bin/env",
		.arguments = (const char *[]) {
			"node", dir_path(folder, "node_modules/@dwmkerr/mock-llm/dist/main.js"),
			"--config", MOCK_LLM_RULES, NULL },
		.environment = (const char *[]) { "HOST=127.0.0.1", text("PORT=%u", port), NULL },
		.output = log,
		.stdout_fd = STDERR_FILENO });
	outsider_await(port, WAIT_SECONDS, log);
	return text("http://127.0.0.1:%u/v1", port);
}

START_TEST(answers_and_errors)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *task = experiment_run(wire, &(struct experiment) {
		.url = start_endpoint(), .n_criteria = 2, .max_connections = 4,
		.config = "'max_retries':1",
		.more = "'collection':{'content':{'name':'C','variables':[{'topic':'rivers'},"
			"{'topic':'forbidden things'},{'topic':'a \\\"quoted\\\" word'},{'topic':'coffee'}]}}" });
	json_object *items;

	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	items = list_all(wire, "ListResponses", "'experiment':{'id':%lld},'failed':false",
			 (long long)at_int(task, "experiment_id"));
	ck_assert_uint_eq(json_object_array_length(items), 2);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(strncmp(at_text(items, text("%zu.response_text", i)), "Tell of ", 8), 0);
		/* Unknown is absent, never 0. */
		ck_assert(!at_has(items, text("%zu.input_tokens", i)));
		ck_assert_str_eq(at_text(items, text("%zu.ratings.1.rating", i)), "YES");
		ck_assert_int_eq(at_int(items, text("%zu.ratings.1.input_tokens", i)), 10);
	}
	items = list_all(wire, "ListResponses", "'experiment':{'id':%lld},'failed':true",
			 (long long)at_int(task, "experiment_id"));
	ck_assert_uint_eq(json_object_array_length(items), 2);
	for (size_t i = 0; i < 2; i++) {
		bool refused = at_int(items, text("%zu.error.status", i)) == 400;

		ck_assert(refused || at_int(items, text("%zu.error.status", i)) == 500);
		ck_assert_int_eq(at_int(items, text("%zu.attempts", i)), refused ? 1 : 2);
		if (refused)
			ck_assert_ptr_nonnull(strstr(at_text(items, text("%zu.error.message", i)),
						     "not to be told"));
	}
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(refused_key)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *task = experiment_run(wire, &(struct experiment) {
		.rows = 50, .n_criteria = 1,
		.more = quoted("'llm_config':{'content':{'name':'locked','provider':'openai',"
			       "'llm_model_name':'locked','llm_base_url':'%s'}}", start_endpoint()) });

	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_str_eq(at_text(task, "error.code"), "BackendAuthentication");
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

static void install(void)
{
	const char *command;

	folder = dir_new();
	command = text("cd %s && npm install --prefix . --no-audit --no-fund --ignore-scripts "
		       "--loglevel=error " PACKAGE " >&2", folder);
	if (system(command) != 0)
		die(PACKAGE " cannot be installed: npm or its registry cannot be reached");
}

int main(void)
{
	if (!getenv("ELLU_TEST_ALL")) {
		fputs("set ELLU_TEST_ALL to install " PACKAGE " and test with it\n", stderr);
		return EXIT_SKIPPED;
	}
	dir_prepare();
	install();
	return RUN_SUITE(answers_and_errors, refused_key);
}
