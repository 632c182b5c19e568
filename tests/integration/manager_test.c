/* What the service manager is told, on a notification socket of the test's own. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/harness/suite.h"

static int notify_fd;

static const char *open_notify_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = dir_path(dir_new(), "notify");

	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(notify_fd, 0);
	ck_assert_uint_lt(strlen(path), sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(notify_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return text("NOTIFY_SOCKET=%s", path);
}

/* The next messages, until one begins with this. Those before it must begin with one of `before`. */
static const char *await(const char *wanted, const char *before)
{
	static char message[512];
	struct pollfd poll_fd = { .fd = notify_fd, .events = POLLIN };

	for (;;) {
		ssize_t n;

		ck_assert_msg(poll(&poll_fd, 1, (int)(WAIT_SECONDS * 1000)) == 1, "no %s", wanted);
		n = recv(notify_fd, message, sizeof(message) - 1, 0);
		ck_assert_int_gt(n, 0);
		message[n] = '\0';
		if (strncmp(message, wanted, strlen(wanted)) == 0)
			return message;
		ck_assert_msg(strstr(before, text("%.*s", (int)strcspn(message, "="), message)),
			      "'%s' before '%s'", message, wanted);
	}
}

static struct daemon *start(const char *watchdog)
{
	return daemon_start(&(struct daemon_options) {
		.environment = (const char *[]) { open_notify_socket(), watchdog, NULL } });
}

static int64_t submit_slow(struct wire *wire, const char *name)
{
	return experiment_submit(wire, &(struct experiment) {
		.name = name, .rows = 1,
		.more = "'llm_config':{'content':{'name':'slow','provider':'simulated',"
			"'custom':{'latency_seconds':3600}}},'update_existing':true" });
}

START_TEST(told_of_each_state)
{
	struct daemon *daemon = start(NULL);
	struct wire *wire;

	/* A new database is made by migrations. */
	(void)await("EXTEND_TIMEOUT_USEC=", "");
	(void)await("READY=1", "EXTEND_TIMEOUT_USEC");
	ck_assert_ptr_nonnull(strstr(await("STATUS=", ""), "0 running, 0 waiting"));
	wire = daemon_connect(daemon);
	(void)submit_slow(wire, "Slow");
	ck_assert_ptr_nonnull(strstr(await("STATUS=", ""), "1 running, 0 waiting"));
	daemon_signal(daemon, SIGHUP);
	(void)await("RELOADING=1", "STATUS");
	(void)await("READY=1", "STATUS");
	daemon_signal(daemon, SIGTERM);
	(void)await("STOPPING=1", "STATUS");
	daemon_signal(daemon, SIGTERM);
	ck_assert_int_eq(daemon_wait(daemon, WAIT_SECONDS), 0);
}
END_TEST

/* By a method, as by the signal. */
START_TEST(reloads)
{
	const char *config = dir_path(dir_new(), "reloaded");
	struct daemon *daemon;
	struct wire *wire;
	int64_t second;

	file_write(config, "[queue]\nmax_running_per_user = 1\n");
	daemon = daemon_start(&(struct daemon_options) {
		.arguments = (const char *[]) { text("--config=%s", config), NULL },
		.environment = (const char *[]) { open_notify_socket(), NULL } });
	(void)await("READY=1", "EXTEND_TIMEOUT_USEC");
	wire = daemon_connect(daemon);
	(void)submit_slow(wire, "First");
	second = submit_slow(wire, "Second");
	ck_assert_str_eq(at_text(task_get(wire, second), "status"), "PENDING");

	file_write(config, "[queue]\nmax_running_per_user = many\n");
	ck_assert_ptr_nonnull(strstr(
		at_text(wire_refused(wire, "Conflict", "Reload", "{}"), "parameters.reason"),
		text("%s:2: [queue] max_running_per_user: expected a number", config)));
	(void)await("RELOADING=1", "STATUS");
	(void)await("READY=1", "STATUS");

	file_write(config, "[queue]\nmax_running_per_user = 2\n");
	json_object_put(wire_call(wire, "Reload", "{}"));
	(void)await("RELOADING=1", "STATUS");
	(void)await("READY=1", "STATUS");
	wire_start(wire, "'more':true", "WatchTask", "{'id':%lld}", (long long)second);
	while (!at_is(wire_next(wire), "parameters.event.status", "STARTED"))
		;
	daemon_kill(daemon);
}
END_TEST

START_TEST(watchdog_is_fed)
{
	struct daemon *daemon = start("WATCHDOG_USEC=200000");

	(void)await("READY=1", "EXTEND_TIMEOUT_USEC WATCHDOG");
	for (int i = 0; i < 10; i++)
		(void)await("WATCHDOG=1", "STATUS");
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(told_of_each_state, reloads, watchdog_is_fed);
}
