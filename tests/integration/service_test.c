/*
 * The daemon as a program that others start: its configuration checked, its folders, its log, and
 * what it does about another daemon on the same state.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/process.h"
#include "tests/harness/suite.h"

#define EXIT_USAGE 2

/* Runs the daemon to its end; what it said is in *ret_said. */
static int run_to_end(const char **ret_said, const char *const *arguments)
{
	const char *output = dir_path(dir_new(), "said");
	int status = process_wait(process_start(&(const struct process_options) {
		.path = ELLUMINATED_PATH, .arguments = arguments, .output = output }), WAIT_SECONDS);
	const char *said = file_read(output, NULL);

	*ret_said = said ? said : "";
	return status;
}

static int check(const char *config, const char **ret_path, const char **ret_said)
{
	*ret_path = dir_path(dir_new(), "elluminated.conf");
	file_write(*ret_path, config);
	return run_to_end(ret_said, (const char *[]) {
		text("--config=%s", *ret_path), "--state-dir=/nowhere", "--check", NULL });
}

START_TEST(a_configuration_is_checked)
{
	static const struct {
		const char *config;
		const char *said; // behind the file's name
	} mistakes[] = {
		{ "[queue]\n\nmax_pendng = 7\n", ":3: [queue] max_pendng: no such key" },
		{ "[daemon]\nworkers = many\n", ":2: [daemon] workers: expected a number from 0 to 256" },
		{ "[daemn]\nworkers = 1\n", ":2: [daemn] workers: no such key" },
		/* Of two mistakes the first is told, with its own line. */
		{ "[queue]\nmax_pending = 0\nmax_running = 0\n",
		  ":2: [queue] max_pending: expected a number from 1 to 1000000" },
		{ "[daemon]\nno equals sign\n", ":2: cannot be parsed" },
		{ "[daemon]\nno equals sign\nworkers = many\n", ":2: cannot be parsed" },
	};
	const char *path, *said;

	ck_assert_int_eq(check("[daemon]\nworkers = 2\n", &path, &said), EXIT_SUCCESS);
	ck_assert_str_eq(said, "");
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		ck_assert_int_eq(check(mistakes[i].config, &path, &said), EXIT_USAGE);
		ck_assert_str_eq(said, text("elluminated: %s%s\n", path, mistakes[i].said));
	}
}
END_TEST

/* Without tmpfiles, whatever the umask: a system's folder is for all, a user's for one. */
START_TEST(the_socket_can_be_reached)
{
	for (int system = 0; system < 2; system++) {
		const char *folder = dir_path(dir_new(), "run");
		struct daemon *daemon;
		struct stat status;

		umask(077);
		daemon = daemon_start(&(struct daemon_options) { .arguments = (const char *[]) {
			system ? "--system" : "--user", text("--socket=%s/socket", folder), NULL } });
		ck_assert_int_eq(stat(folder, &status), 0);
		ck_assert_int_eq(status.st_mode & 07777, system ? 0755 : 0700);
		ck_assert_int_eq(stat(dir_path(folder, "socket"), &status), 0);
		ck_assert_int_eq(status.st_mode & 07777, system ? 0666 : 0600);
		ck_assert_int_eq(daemon_stop(daemon), 0);
	}
}
END_TEST

/* In a file, where nobody else does it: each line says when it was written. */
START_TEST(a_log_has_times)
{
	struct daemon *daemon = daemon_start(NULL);
	char *log, *line, *rest;
	int n = 0;

	ck_assert_int_eq(daemon_stop(daemon), 0);
	log = (char *)daemon_log(daemon);
	for (line = strtok_r(log, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		int level, year, month, day, hour, minute, end = 0;
		double second;

		ck_assert_msg(sscanf(line, "<%d>%d-%d-%dT%d:%d:%lfZ %n", &level, &year, &month, &day,
				     &hour, &minute, &second, &end) == 7 && end > 0, "%s", line);
		n++;
	}
	ck_assert_int_ge(n, 2);
}
END_TEST

int main(void)
{
	return RUN_SUITE(a_configuration_is_checked, the_socket_can_be_reached, a_log_has_times);
}
