/*
 * A journal that takes no more lines: a real systemd-journald, in a mount namespace of the test's
 * own, stopped by SIGSTOP. Log lines are dropped and counted; runs, other clients and an orderly
 * stop do not notice. And what its catalog is asked about.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/log_message.h"
#include "tests/harness/process.h"
#include "tests/harness/suite.h"

#define JOURNALD "/lib/systemd/systemd-journald"
/* More than the log's ring and the journal's socket take. */
#define LINES 4000

struct logged {
	pid_t pid;
	const char *socket;
};

static void enter_namespace(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("none", "/run", "tmpfs", 0, NULL), 0);
	ck_assert_int_eq(mkdir("/run/systemd", 0755) | mkdir("/run/systemd/journal", 0755) |
			 mkdir("/run/log", 0755) | mkdir("/run/log/journal", 0755), 0);
}

/* READY=1 says that its sockets are there. */
static pid_t start_journald(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct pollfd notified = { .events = POLLIN };
	const char *path = dir_path(dir_new(), "notify");
	char said[512] = "";
	pid_t pid;

	notified.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	ck_assert_int_eq(bind(notified.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	pid = process_start(&(const struct process_options) {
		.path = JOURNALD, .output = dir_path(dir_new(), "journald"),
		.environment = (const char *[]) { text("NOTIFY_SOCKET=%s", path), NULL } });
	while (!strstr(said, "READY=1")) {
		ssize_t n;

		ck_assert_int_eq(poll(&notified, 1, (int)(WAIT_SECONDS * 1000)), 1);
		n = recv(notified.fd, said, sizeof(said) - 1, 0);
		ck_assert_int_gt(n, 0);
		said[n] = '\0';
	}
	close(notified.fd);
	return pid;
}

/* A daemon whose standard error is the journal's, as far as it can tell. */
static struct logged start_logged(void)
{
	const char *folder = dir_new(), *output = dir_path(folder, "stderr");
	struct logged daemon = { .socket = dir_path(folder, "socket") };
	struct stat status;
	char word[8] = "";
	int fds[2];

	file_write(output, "");
	ck_assert_int_eq(stat(output, &status), 0);
	ck_assert_int_eq(pipe(fds), 0);
	daemon.pid = process_start(&(const struct process_options) {
		.path = ELLUMINATED_PATH, .output = output, .ready_fd = fds[1],
		.arguments = (const char *[]) {
			"--no-bus", "--ready-fd=3", text("--state-dir=%s/state", folder),
			text("--socket=%s", daemon.socket), NULL },
		.environment = (const char *[]) {
			text("JOURNAL_STREAM=%llu:%llu", (unsigned long long)status.st_dev,
			     (unsigned long long)status.st_ino), NULL } });
	close(fds[1]);
	ck_assert_int_gt(read(fds[0], word, sizeof(word)), 0);
	close(fds[0]);
	return daemon;
}

/* Whether the journal has a line with the text, of those that match. */
static bool has_line(const char *match, const char *wanted)
{
	char line[1024];
	bool found = false;
	FILE *journal;

	ck_assert_int_eq(system("journalctl --sync"), 0);
	journal = popen(text("journalctl --no-pager -o cat --file '/run/log/journal/*/*.journal' %s", match), "re");
	ck_assert_ptr_nonnull(journal);
	while (fgets(line, sizeof(line), journal))
		found = found || strstr(line, wanted);
	ck_assert_int_eq(pclose(journal), 0);
	return found;
}

/* Whoever undoes a drain is told of in a line each. */
static void make_lines(const struct logged *daemon)
{
	struct wire *wire = wire_open(daemon->socket);

	for (int i = 0; i < LINES; i++)
		json_object_put(wire_call(wire, "Drain", "{'undo':true}"));
	wire_close(wire);
}

static void runs(const struct logged *daemon, const char *name)
{
	struct wire *wire = wire_open(daemon->socket);
	char *request = experiment_request(&(struct experiment) { .rows = 20, .n_criteria = 1,
								  .name = name });
	json_object *reply = wire_call(wire, "RunExperiment", "%s", request);

	ck_assert_str_eq(at_text(reply, "task.status"), "SUCCESS");
	json_object_put(reply);
	free(request);
	wire_close(wire);
}

START_TEST(a_stall)
{
	struct logged daemon;
	pid_t journald;

	enter_namespace();
	journald = start_journald();
	daemon = start_logged();
	runs(&daemon, "Before");
	ck_assert(has_line("", "serves on"));
	ck_assert_int_eq(kill(journald, SIGSTOP), 0);
	make_lines(&daemon);
	runs(&daemon, "Meanwhile");
	ck_assert_int_eq(kill(journald, SIGCONT), 0);
	/* The next lines find room, and what was dropped is told behind them. */
	runs(&daemon, "After");
	ck_assert_int_eq(kill(daemon.pid, SIGTERM), 0);
	ck_assert_int_eq(process_wait(daemon.pid, WAIT_SECONDS), 0);
	ck_assert(has_line("", "log lines were dropped"));
	ck_assert(has_line("", "stopping on Terminated"));
}
END_TEST

START_TEST(a_stop_during_a_stall)
{
	struct logged daemon;
	pid_t journald;

	enter_namespace();
	journald = start_journald();
	daemon = start_logged();
	runs(&daemon, "Before");
	ck_assert_int_eq(kill(journald, SIGSTOP), 0);
	make_lines(&daemon);
	ck_assert_int_eq(kill(daemon.pid, SIGTERM), 0);
	ck_assert_int_eq(process_wait(daemon.pid, WAIT_SECONDS), 0);
}
END_TEST

static const char *id_of(enum log_message message)
{
	static const char *const ids[] = {
#define MESSAGE(name, id) [name] = id,
		LOG_MESSAGES(MESSAGE)
#undef MESSAGE
	};

	return text("MESSAGE_ID=%s", ids[message]);
}

/* Each line is explained by what is the matter: a database that is gone is no full disk. */
START_TEST(advice)
{
	struct logged daemon;
	struct wire *wire;
	char *state;

	enter_namespace();
	(void)start_journald();
	daemon = start_logged();
	runs(&daemon, "Before");
	wire = wire_open(daemon.socket);
	state = text("%.*s/state", (int)(strrchr(daemon.socket, '/') - daemon.socket), daemon.socket);
	ck_assert_int_eq(rename(state, text("%s-away", state)), 0);
	json_object_put(wire_refused(wire, "StorageDamaged", "CreateCollection", "{'collection':{'name':'X'}}"));
	wire_close(wire);
	ck_assert_int_eq(kill(daemon.pid, SIGTERM), 0);
	ck_assert_int_eq(process_wait(daemon.pid, WAIT_SECONDS), 0);
	ck_assert(has_line(id_of(LOG_STORAGE_DAMAGED), "running tasks are on hold"));
	ck_assert(!has_line(id_of(LOG_STORAGE_FULL), ""));
}
END_TEST

int main(void)
{
	if (geteuid() != 0 || access(JOURNALD, X_OK) < 0)
		return EXIT_SKIPPED;
	return RUN_SUITE(a_stall, a_stop_during_a_stall, advice);
}
