/*
 * The client library before a server that others wrote: the protocol's own certification, by the
 * library's calls of any method.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/elluminate.h"
#include "tests/harness/process.h"
#include "tests/harness/suite.h"

#define CERTIFICATION "/usr/bin/varlink-go-certification"

static struct ellu *handle;
static const char *client_id;

/* The server's own time to come up. */
static void open_handle(const char *path)
{
	double deadline = now_seconds() + WAIT_SECONDS;
	int r;

	while ((r = ellu_open(path, ELLU_BLOCKING, &handle)) < 0) {
		ck_assert_msg((r == -ENOENT || r == -ECONNREFUSED) && now_seconds() < deadline, "%s",
			      ellu_strerror(r));
		(void)poll(NULL, 0, 5);
	}
}

/* What a call is given: what the one before answered, and who calls. */
static char *with_client_id(const char *answer)
{
	if (strcmp(answer, "{}") == 0)
		return quoted("{'client_id':'%s'}", client_id);
	return text("{\"client_id\":\"%s\",%s", client_id, answer + 1);
}

static char *call(const char *name, const char *parameters)
{
	const struct ellu_raw_reply *reply;
	const struct ellu_error *error;
	char *answer;
	int r = ellu_call_raw(handle, text("org.varlink.certification.%s", name), parameters, &reply,
			      &error);

	ck_assert_msg(r == 0, "%s: %s", name, error ? error->message : ellu_strerror(r));
	answer = text("%s", reply->parameters);
	ellu_free(reply);
	return answer;
}

/* All replies of Test10, as the parameters of Test11. */
static char *call_with_more(const char *parameters)
{
	struct ellu_stream *stream;
	const struct ellu_raw_reply *reply;
	char *answers = text("%s", "");
	int n = 0;

	ck_assert_int_eq(ellu_stream_raw(handle, "org.varlink.certification.Test10", parameters,
					 &stream, NULL),
			 0);
	while (ellu_raw_next(stream, &reply, NULL) > 0) {
		json_object *json =
			json_tokener_parse(reply->parameters);

		answers = text("%s%s\"%s\"", answers, n++ ? "," : "", at_text(json, "string"));
		json_object_put(json);
		ellu_free(reply);
	}
	ck_assert_int_eq(n, 10);
	ellu_stream_close(stream);
	return text("{\"last_more_replies\":[%s]}", answers);
}

START_TEST(certified)
{
	const char *path = dir_path(dir_new(), "socket");
	pid_t server = process_start(&(struct process_options) {
		.path = CERTIFICATION,
		.arguments = (const char *[]) { "-varlink", text("unix:%s", path), NULL } });
	const struct ellu_error *error;
	char *answer;

	open_handle(path);
	answer = call("Start", NULL);
	client_id = text("%s", at_text(json_tokener_parse(answer), "client_id"));
	answer = text("%s", "{}");
	for (int i = 1; i <= 9; i++)
		answer = call(text("Test%02d", i), with_client_id(answer));
	answer = call_with_more(with_client_id(answer));
	ck_assert_int_eq(ellu_oneway_raw(handle, "org.varlink.certification.Test11",
					 with_client_id(answer), NULL),
			 0);
	answer = call("End", with_client_id("{}"));
	ck_assert(at_bool(json_tokener_parse(answer), "all_ok"));
	ck_assert_int_lt(ellu_call_raw(handle, "org.varlink.certification.Test01",
				       "{\"client_id\":\"nobody\"}", NULL, &error),
			 0);
	ck_assert_msg(strstr(error->message, "ClientIdError"), "%s", error->message);
	ellu_free(error);
	ellu_close(handle);
	kill(server, SIGTERM);
	ck_assert_int_ge(process_wait(server, WAIT_SECONDS), 0);
}
END_TEST

int main(void)
{
	if (access(CERTIFICATION, X_OK) < 0) {
		fputs("varlink-go is needed\n", stderr);
		return getenv("ELLU_TEST_ALL") ? EXIT_FAILURE : EXIT_SKIPPED;
	}
	return RUN_SUITE(certified);
}
