/* A program in a locale with a decimal comma sends and gets the numbers that it means. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/elluminate.h"
#include "tests/unit/client/client_standin.h"
#include "tests/unit/suite.h"

static char call_seen[4096];

static int answer(struct standin *standin, int fd, const char *call)
{
	(void) standin;
	snprintf(call_seen, sizeof(call_seen), "%s", call);
	standin_send(fd, "{\"parameters\":{\"task\":{\"id\":7,\"kind\":\"experiment\",\"name\":\"n\","
			 "\"status\":\"STARTED\",\"priority\":\"normal\",\"project\":\"default\","
			 "\"owner_uid\":0,\"created_at\":\"2026-01-31T12:00:00.000Z\","
			 "\"time_limit_seconds\":36000,\"running_seconds\":0.83,\"attempts\":1,"
			 "\"sequence\":3}}}");
	return 0;
}

/* German, made from its source, whatever locales the machine has. */
static void speak_german(void)
{
	char folder[] = "/tmp/locale-XXXXXX", command[256];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(command, sizeof(command), "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8", folder);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(setenv("LOCPATH", folder, 1), 0);
	ck_assert_ptr_nonnull(setlocale(LC_ALL, "de_DE.UTF-8"));
	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
	ck_assert_str_eq(localeconv()->decimal_point, ",");
}

START_TEST(numbers_have_dots_on_the_wire)
{
	struct ellu_retry_task_request request = ELLU_RECORD(struct ellu_retry_task_request);
	const struct ellu_retry_task_reply *reply;
	const double limit = 2.75;
	struct standin standin;
	struct ellu *handle;

	speak_german();
	standin_start(&standin, answer);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_BLOCKING, &handle), 0);
	request.id = 7;
	request.time_limit_seconds = &limit;
	ck_assert_int_eq(ellu_retry_task(handle, &request, &reply, NULL), 0);
	ck_assert_msg(strstr(call_seen, "\"time_limit_seconds\":2.75"), "%s", call_seen);
	ck_assert_double_eq(reply->task->running_seconds, 0.83);
	ellu_free(reply);
	ellu_close(handle);
	standin_stop(&standin);
}
END_TEST

int main(void)
{
	return RUN_TESTS(numbers_have_dots_on_the_wire);
}
