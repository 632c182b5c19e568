/* What a daemon sends is not trusted either. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/elluminate.h"
#include "proto/limits.h"
#include "tests/unit/client/client_standin.h"
#include "tests/unit/suite.h"

static const char *answer_bytes;
static size_t answer_size;
static size_t slice;

/* Returns once the peer has taken all that was sent, so that the next bytes come by themselves. */
static void await_read(int fd)
{
	int unread = 0;

	while (ioctl(fd, TIOCOUTQ, &unread) == 0 && unread > 0)
		sched_yield();
}

/* Sends the bytes, and hangs up. */
static int answer_with_bytes(struct standin *standin, int fd, const char *call)
{
	(void) standin;
	(void) call;
	for (size_t at = 0; at < answer_size; at += slice) {
		size_t n = answer_size - at < slice ? answer_size - at : slice;

		standin_send_bytes(fd, answer_bytes + at, n);
		if (slice < 1024)
			await_read(fd);
	}
	return -1;
}

/* What GetInfo comes to when the daemon answers so. */
static int result_of(const char *bytes, size_t size, size_t slice_size)
{
	struct ellu_get_info_request request = ELLU_RECORD(struct ellu_get_info_request);
	const struct ellu_get_info_reply *reply = NULL;
	const struct ellu_error *error;
	struct standin standin;
	struct ellu *handle;
	int r;

	answer_bytes = bytes;
	answer_size = size;
	slice = slice_size;
	standin_start(&standin, answer_with_bytes);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_BLOCKING, &handle), 0);
	ck_assert_int_eq(ellu_set_reconnect(handle, 0), 0);
	r = ellu_get_info(handle, &request, &reply, &error);
	ck_assert_int_eq(r < 0, error != NULL);
	ck_assert_int_eq(r == 0, reply != NULL);
	ellu_free(reply);
	ellu_free(error);
	ellu_close(handle);
	standin_stop(&standin);
	return r;
}

#define INFO                                                                              \
	"{\"parameters\":{\"vendor\":\"v\",\"product\":\"p\",\"version\":\"1\",\"url\":\"u\"," \
	"\"interfaces\":[]}}"

START_TEST(slices_and_endings)
{
	ck_assert_int_eq(result_of(INFO, sizeof(INFO), 1), 0);
	ck_assert_int_eq(result_of(INFO, sizeof(INFO), 7), 0);
	ck_assert_int_eq(result_of(INFO, sizeof(INFO) - 1, 1024), -ECONNRESET);
	ck_assert_int_eq(result_of(INFO, 10, 1024), -ECONNRESET);
	ck_assert_int_eq(result_of("", 0, 1024), -ECONNRESET);
}
END_TEST

START_TEST(answers_that_are_none)
{
	static const char *const texts[] = {
		"",
		"[]",
		"garbage",
		"{\"parameters\":7}",
		"{\"parameters\":{}}",
		"{\"parameters\":{\"vendor\":1}}",
		"{\"parameters\":{},\"parameters\":{}}",
		"{\"continues\":true,\"parameters\":{}}",
		"{\"error\":7}",
		"{\"parameters\":{\"vendor\":\"\xff\"}}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(result_of(texts[i], strlen(texts[i]) + 1, 4096) == -EPROTO, "%s",
			      texts[i]);
	ck_assert_int_eq(result_of("{\"error\":\"a.B\"}", 15, 4096), -ECONNRESET);
	ck_assert_int_eq(result_of("{\"error\":\"a.B\"}", 16, 4096), -EREMOTEIO);
	ck_assert_int_eq(result_of("{\"error\":\"org.elluminate.QueueFull\"}", 37, 4096),
			 ELLU_E_QUEUE_FULL);
}
END_TEST

START_TEST(limits)
{
	size_t size = MESSAGE_SIZE_MAX + 2;
	char *text = malloc(size);

	memset(text, '[', size);
	ck_assert_int_eq(result_of(text, size, 65536), -EPROTO);
	text[10000] = '\0';
	ck_assert_int_eq(result_of(text, 10001, 65536), -EPROTO);
	free(text);
}
END_TEST

static int answer_and_leave(struct standin *standin, int fd, const char *call)
{
	standin_answer(standin, fd, call);
	return -1;
}

START_TEST(a_connection_that_was_closed_is_not_used_again)
{
	struct ellu_get_info_request request = ELLU_RECORD(struct ellu_get_info_request);
	struct standin standin;
	struct ellu *handle;

	standin_start(&standin, answer_and_leave);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_BLOCKING, &handle), 0);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(ellu_get_info(handle, &request, NULL, NULL), 0);
		standin_await_left(&standin);
	}
	ck_assert_int_eq(standin.n_connections, 5);
	standin_stop(&standin);
	ck_assert_int_lt(ellu_get_info(handle, &request, NULL, NULL), 0);
	ellu_close(handle);
}
END_TEST

int main(void)
{
	return RUN_TESTS(slices_and_endings, answers_that_are_none, limits,
			 a_connection_that_was_closed_is_not_used_again);
}
