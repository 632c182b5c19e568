/*
 * The server before clients that others wrote: the protocol's own certification, and an
 * experiment by a client on the Go library.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/suite.h"

#define GO_LIBRARY "/usr/share/gocode/src/github.com/varlink/go/varlink"
#define CERTIFICATION "varlink-go-certification"

/* Runs it to its end; what it wrote. */
static char *run(const char *command, int *ret_status)
{
	char *output = text("%s", ""), line[1024];
	FILE *out = popen(command, "re");

	if (!out)
		die("%s: cannot be run", command);
	while (fgets(line, sizeof(line), out))
		output = text("%s%s", output, line);
	*ret_status = pclose(out);
	return output;
}

static bool is_there(const char *command)
{
	int status;

	run(text("command -v %s", command), &status);
	return status == 0;
}

START_TEST(certified)
{
	struct daemon *daemon = daemon_start(&(struct daemon_options) {
		.path = ELLUMINATED_TEST_PATH });
	int status;
	char *output = run(text("timeout %d " CERTIFICATION " -client -varlink unix:%s 2>&1",
				(int)WAIT_SECONDS, daemon_socket(daemon)), &status);

	ck_assert_msg(status == 0, "%s", output);
	for (int i = 1; i <= 11; i++)
		ck_assert_msg(strstr(output, text("Test%02d: ", i)), "no Test%02d: %s", i, output);
	ck_assert_msg(strstr(output, "End: 'true'"), "%s", output);
	ck_assert(daemon_is_well(daemon));
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* The handler does look at what it gets. */
START_TEST(wrong_values_are_refused)
{
	struct daemon *daemon = daemon_start(&(struct daemon_options) {
		.path = ELLUMINATED_TEST_PATH });
	struct wire *wire = daemon_connect(daemon);
	json_object *reply = wire_call(wire, "org.varlink.certification.Start", "{}");
	const char *id = at_text(reply, "client_id");

	wire_refused(wire, "org.varlink.certification.ClientIdError",
		     "org.varlink.certification.Test01", "{'client_id':'nobody'}");
	reply = wire_refused(wire, "org.varlink.certification.CertificationError",
			     "org.varlink.certification.Test02", "{'client_id':'%s','bool':false}", id);
	ck_assert(at_bool(reply, "parameters.wants.bool"));
	ck_assert(!at_bool(reply, "parameters.got.bool"));
	/* Test10 without `more`. */
	wire_refused(wire, "org.varlink.certification.CertificationError",
		     "org.varlink.certification.Test10", "{'client_id':'%s'}", id);
	wire_refused(wire, "org.varlink.service.MethodNotFound", "org.varlink.certification.Test12", "{}");
	reply = wire_call(wire, "org.varlink.service.GetInfo", "{}");
	ck_assert_uint_eq(at_count(reply, "interfaces"), 3);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(go_client)
{
	struct daemon *daemon = daemon_start(NULL);
	const char *dir = dir_new();
	int status;
	char *output = run(text("cd %s && GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS= HOME=%s "
				"GOCACHE=\"${GOCACHE:-%s/cache}\" go build -o client %s 2>&1 && "
				"./client unix:%s 2>&1",
				dir, dir, dir, GO_CLIENT_PATH, daemon_socket(daemon)), &status);

	ck_assert_msg(status == 0 && strstr(output, "SUCCESS"), "%s", output);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

int main(void)
{
	if (!is_there(CERTIFICATION) || !is_there("go") || access(GO_LIBRARY, F_OK) < 0) {
		fputs("varlink-go, golang-go and golang-github-varlink-go-dev are needed\n", stderr);
		return getenv("ELLU_TEST_ALL") ? EXIT_FAILURE : EXIT_SKIPPED;
	}
	return RUN_SUITE(certified, wrong_values_are_refused, go_client);
}
