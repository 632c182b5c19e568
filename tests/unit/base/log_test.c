/* The end of the log: where nobody takes its lines, the process ends all the same. */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/log_sink.h"
#include "proto/text/utf8.h"
#include "tests/unit/suite.h"

#define DAY 86400

/* In place of the C library's: a wall clock that somebody has set ahead. */
__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *ret_time)
{
	int r = (int)syscall(SYS_clock_gettime, id, ret_time);

	if (id == CLOCK_REALTIME)
		ret_time->tv_sec += DAY;
	return r;
}

/* A standard error that is never read takes no more. */
static int fill_stderr(void)
{
	static const char zeros[4096];
	int fds[2], saved = dup(STDERR_FILENO);

	ck_assert(saved >= 0 && pipe(fds) == 0);
	ck_assert_int_eq(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	while (write(fds[1], zeros, sizeof(zeros)) > 0)
		;
	ck_assert_int_eq(fcntl(fds[1], F_SETFL, 0), 0);
	ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	return saved;
}

START_TEST(a_stop_waits_by_no_wall_clock)
{
	int saved = fill_stderr();

	ck_assert_int_eq(log_start(LOG_INFO), 0);
	log_warning("this line stays");
	log_stop();
	ck_assert_int_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
}
END_TEST

START_TEST(a_long_line_is_cut_between_characters)
{
	char written[4 * LOG_LINE_BYTES] = "", wide[2 * LOG_LINE_BYTES] = "";
	int fds[2], saved = dup(STDERR_FILENO);
	size_t size = 0;

	ck_assert(saved >= 0 && pipe(fds) == 0);
	ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	for (size_t i = 0; i < LOG_LINE_BYTES; i += 2)
		strcat(wide, "\xc3\xa9");
	ck_assert_int_eq(log_start(LOG_INFO), 0);
	log_warning("%s", wide);
	log_warning("x%s", wide);
	log_stop();
	ck_assert_int_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(fds[1]);
	for (ssize_t n = 1; n > 0; size += (size_t)n)
		n = read(fds[0], written + size, sizeof(written) - size);
	ck_assert_uint_gt(size, 2 * (LOG_LINE_BYTES - 8));
	ck_assert(utf8_valid(written, size, NULL));
	close(fds[0]);
}
END_TEST

int main(void)
{
	return RUN_TESTS(a_stop_waits_by_no_wall_clock, a_long_line_is_cut_between_characters);
}
