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

#define TWENTY "a_word_of_twenty_let"
#define LONG_TEXT TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY TWENTY

START_TEST(a_configuration_is_checked)
{
	static const struct {
		const char *config;
		const char *said; // behind the file's name
	} mistakes[] = {
		{ "[queue]\n\nmax_pendng = 7\n", ":3: [queue] max_pendng: no such key" },
		{ "[daemon]\nworkers = many\n", ":2: [daemon] workers: expected a number from 0 to 256" },
		{ "[daemn]\nworkers = 1\n", ":2: [daemn] workers: no such key" },
		{ "workers = 1\n", ":1: workers, before any [section]: no such key" },
		/* Of two mistakes the first is told, with its own line. */
		{ "[queue]\nmax_pending = 0\nmax_running = 0\n",
		  ":2: [queue] max_pending: expected a number from 1 to 1000000" },
		{ "[daemon]\nno equals sign\n", ":2: cannot be parsed" },
		{ "[daemon]\nno equals sign\nworkers = many\n", ":2: cannot be parsed" },
		/* What is too long is no two lines. */
		{ "[daemon]\n" LONG_TEXT " = 1\n[queue]\nmax_pending = 0\n",
		  ":2: a line of more than 199 characters" },
		{ "; " LONG_TEXT "max_pending = 0\n[queue]\nmax_pending = 0\n",
		  ":3: [queue] max_pending: expected a number from 1 to 1000000" },
	};
	const char *path, *said;

	ck_assert_int_eq(check("[daemon]\nworkers = 2\n", &path, &said), EXIT_SUCCESS);
	ck_assert_str_eq(said, "");
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		ck_assert_int_eq(check(mistakes[i].config, &path, &said), EXIT_USAGE);
		ck_assert_str_eq(said, text("elluminated: %s%s\n", path, mistakes[i].said));
	}
	ck_assert_int_eq(run_to_end(&said, (const char *[]) {
				 "--config=/", "--state-dir=/nowhere", "--check", NULL }), EXIT_USAGE);
	ck_assert_str_eq(said, "elluminated: /: Is a directory\n");
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

/* ---- Two daemons on one state folder ---- */

/* As the bus starts one. */
#define AWAITED (const char *[]) { "DBUS_STARTER_ADDRESS=unix:path=/nowhere", NULL }

/* With a task that runs for ever, and that an orderly stop would revoke. */
static struct daemon *start_holder(struct sim *sim, int64_t *ret_task)
{
	struct daemon *holder = daemon_start(&(struct daemon_options) {
		.config = "[daemon]\non_shutdown = revoke\nshutdown_grace_seconds = 0\n" });
	struct wire *wire = daemon_connect(holder);

	*ret_task = experiment_submit(wire, &(struct experiment) { .rows = 2, .url = sim_url(sim) });
	wire_close(wire);
	return holder;
}

static void goes_on(struct daemon *holder, const struct daemon_options *options, int64_t task)
{
	struct daemon *other = daemon_start(options);
	struct wire *wire = daemon_connect(other);
	json_object *reply = wire_call(wire, "GetTask", "{'id':%lld}", (long long)task);

	ck_assert_int_eq(daemon_wait(holder, WAIT_SECONDS), 0);
	ck_assert_ptr_nonnull(strstr(daemon_log(holder), "another daemon goes on"));
	/* Not REVOKED, as a stop of its own would have made it. */
	ck_assert_ptr_nonnull(strstr("PENDING STARTED", at_text(reply, "task.status")));
	json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)task));
	ck_assert_int_eq(daemon_stop(other), 0);
}

/* One that a command started leaves to the one that the bus starts. */
START_TEST(a_daemon_hands_over)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	int64_t task;
	struct daemon *holder = start_holder(sim, &task);

	goes_on(holder, &(struct daemon_options) { .state_dir = daemon_state_dir(holder),
						   .environment = AWAITED }, task);
	sim_stop(sim);
}
END_TEST

/* The session has ended, and took the socket away: nobody can reach it any more. */
START_TEST(one_that_was_left_behind_hands_over)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	int64_t task;
	struct daemon *holder = start_holder(sim, &task);

	ck_assert_int_eq(unlink(daemon_socket(holder)), 0);
	goes_on(holder, &(struct daemon_options) { .state_dir = daemon_state_dir(holder) }, task);
	sim_stop(sim);
}
END_TEST

static const char *refused(const char *state_dir, const char *const *environment)
{
	struct daemon *other;

	ck_assert_int_eq(daemon_start_failing(&(struct daemon_options) {
		.state_dir = state_dir, .environment = environment }, &other), EXIT_FAILURE);
	return daemon_log(other);
}

START_TEST(one_in_use_stays)
{
	struct daemon *holder = daemon_start(NULL);
	const char *said = refused(daemon_state_dir(holder), NULL);

	ck_assert_msg(strstr(said, text("another daemon (process %d) holds the state folder %s and "
					"serves on %s", (int)daemon_pid(holder),
					daemon_state_dir(holder), daemon_socket(holder))), "%s", said);
	ck_assert(daemon_is_well(holder));
}
END_TEST

/* Two that others wait for do not drive each other out. */
START_TEST(one_that_is_awaited_stays)
{
	struct daemon *holder = daemon_start(&(struct daemon_options) { .environment = AWAITED });
	const char *said = refused(daemon_state_dir(holder), AWAITED);

	ck_assert_msg(strstr(said, text("another daemon holds the state folder %s (process %d)",
					daemon_state_dir(holder), (int)daemon_pid(holder))), "%s", said);
	ck_assert(daemon_is_well(holder));
}
END_TEST

int main(void)
{
	return RUN_SUITE(a_configuration_is_checked, the_socket_can_be_reached, a_log_has_times,
			 a_daemon_hands_over, one_that_was_left_behind_hands_over, one_in_use_stays,
			 one_that_is_awaited_stays);
}
