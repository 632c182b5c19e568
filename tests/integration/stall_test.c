/* SPDX-License-Identifier: MIT */
/* A client that takes nothing for so long that the daemon drops it, and says so in its log. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"

#define STALL_SECONDS 60
#define SURPLUS_SECONDS 30

START_TEST(dropped)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon), *other = daemon_connect(daemon);
	char *row = text("%0100000d", 0);
	struct pollfd gone;

	wire_call(other, "CreateCollection", "{'collection':{'name':'A'}}");
	for (int i = 0; i < 20; i++)
		wire_call(other, "AddTemplateVariables",
			  "{'collection':{'name':'A'},'variables':[{'a':'%s'}]}", row);
	wire_start(wire, "'more':true", "ListTemplateVariables",
		   "{'collection':{'name':'A'},'limit':2}");
	gone = (struct pollfd) { .fd = wire_fd(wire), .events = POLLRDHUP };
	ck_assert_int_eq(poll(&gone, 1, (STALL_SECONDS + SURPLUS_SECONDS) * 1000), 1);
	ck_assert_msg(strstr(daemon_log(daemon), "took nothing"), "%s", daemon_log(daemon));
	/* Who is idle without anything to take stays. */
	json_object_put(wire_call(other, "GetStatus", "{}"));
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

int main(void)
{
	if (!getenv("ELLU_TEST_ALL")) {
		fputs("set ELLU_TEST_ALL for what takes more than a minute\n", stderr);
		return EXIT_SKIPPED;
	}
	return RUN_SUITE(dropped);
}
