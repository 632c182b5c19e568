#include "tests/harness/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/dir.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/process.h"

#define ARGUMENTS_MAX 24
#define ENVIRONMENT_MAX 16

struct daemon {
	const char *arguments[ARGUMENTS_MAX + 1];
	const char *environment[ENVIRONMENT_MAX + 1];
	const char *path, *state_dir, *socket, *log_path;
	pid_t pid; // 0: not running
};

static void add(const char **list, size_t max, const char *item)
{
	size_t n = 0;

	while (list[n])
		n++;
	if (n == max)
		die("too many arguments");
	list[n] = item;
}

/* A new folder holds the socket, the log and the configuration: none of them is state. */
static struct daemon *make(const struct daemon_options *options)
{
	static const struct daemon_options defaults;
	const char *folder = dir_new();
	struct daemon *daemon = calloc(1, sizeof(*daemon));

	if (!daemon)
		die("out of memory");
	if (!options)
		options = &defaults;
	daemon->path = options->path ? options->path : daemon_program();
	daemon->state_dir = options->state_dir ? options->state_dir : dir_path(folder, "state");
	daemon->socket = dir_path(folder, "socket");
	daemon->log_path = dir_path(folder, "log");
	if (!options->bus)
		add(daemon->arguments, ARGUMENTS_MAX, "--no-bus");
	add(daemon->arguments, ARGUMENTS_MAX, "--ready-fd=3");
	add(daemon->arguments, ARGUMENTS_MAX, text("--state-dir=%s", daemon->state_dir));
	add(daemon->arguments, ARGUMENTS_MAX, text("--socket=%s", daemon->socket));
	/* Nobody's own configuration takes part. */
	file_write(dir_path(folder, "conf"), options->config ? options->config : "");
	add(daemon->arguments, ARGUMENTS_MAX, text("--config=%s", dir_path(folder, "conf")));
	for (const char *const *each = options->arguments; each && *each; each++)
		add(daemon->arguments, ARGUMENTS_MAX, *each);
	add(daemon->environment, ENVIRONMENT_MAX, "no_proxy=*");
	for (const char *const *each = options->environment; each && *each; each++)
		add(daemon->environment, ENVIRONMENT_MAX, *each);
	return daemon;
}

/* True once it serves, false when it has closed the descriptor without a word. */
static bool start(struct daemon *daemon)
{
	struct process_options options = {
		.path = daemon->path,
		.arguments = daemon->arguments,
		.environment = daemon->environment,
		.output = daemon->log_path,
	};
	struct pollfd ready = { .events = POLLIN };
	char word[8] = { 0 };
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		die("pipe: %s", strerror(errno));
	options.ready_fd = fds[1];
	daemon->pid = process_start(&options);
	close(fds[1]);
	ready.fd = fds[0];
	while ((r = poll(&ready, 1, (int)(WAIT_SECONDS * 1000))) < 0 && errno == EINTR)
		;
	if (r == 0)
		die("the daemon does not come up: %s", daemon_log(daemon));
	r = (int)read(fds[0], word, sizeof(word) - 1);
	close(fds[0]);
	return r > 0 && strncmp(word, "READY", 5) == 0;
}

struct daemon *daemon_start(const struct daemon_options *options)
{
	struct daemon *daemon = make(options);

	daemon_restart(daemon);
	return daemon;
}

int daemon_start_failing(const struct daemon_options *options, struct daemon **ret_daemon)
{
	struct daemon *daemon = make(options);

	if (start(daemon))
		die("the daemon serves where it should not");
	*ret_daemon = daemon;
	return daemon_wait(daemon, WAIT_SECONDS);
}

void daemon_restart(struct daemon *daemon)
{
	if (daemon->pid)
		die("the daemon still runs");
	if (!start(daemon))
		die("the daemon did not come up: %s", daemon_log(daemon));
}

void daemon_signal(struct daemon *daemon, int number)
{
	if (!daemon->pid || kill(daemon->pid, number) < 0)
		die("the daemon does not run");
}

int daemon_wait(struct daemon *daemon, double seconds)
{
	int status = process_wait(daemon->pid, seconds);

	if (status >= 0)
		daemon->pid = 0;
	return status;
}

int daemon_stop(struct daemon *daemon)
{
	int status;

	daemon_signal(daemon, SIGTERM);
	status = daemon_wait(daemon, WAIT_SECONDS);
	if (status < 0)
		die("the daemon does not stop: %s", daemon_log(daemon));
	return status;
}

void daemon_kill(struct daemon *daemon)
{
	daemon_signal(daemon, SIGKILL);
	if (daemon_wait(daemon, WAIT_SECONDS) != 128 + SIGKILL)
		die("the daemon had ended before it was killed: %s", daemon_log(daemon));
}

pid_t daemon_pid(const struct daemon *daemon)
{
	return daemon->pid;
}

int64_t daemon_memory_kib(const struct daemon *daemon, const char *name)
{
	char *status = file_read(text("/proc/%d/status", (int)daemon->pid), NULL);
	const char *field = text("\n%s:", name);
	const char *at = status ? strstr(status, field) : NULL;
	int64_t kib;

	if (!at)
		die("/proc/%d/status says no %s", (int)daemon->pid, name);
	kib = strtoll(at + strlen(field), NULL, 10);
	free(status);
	return kib;
}

double daemon_thread_seconds(const struct daemon *daemon, const char *name)
{
	double nanoseconds = -1;
	glob_t tasks;

	if (glob(text("/proc/%d/task/*", (int)daemon->pid), 0, NULL, &tasks) != 0)
		die("the daemon does not run");
	for (size_t i = 0; i < tasks.gl_pathc; i++)
		if (strcmp(file_read(dir_path(tasks.gl_pathv[i], "comm"), NULL), text("%s\n", name)) == 0)
			nanoseconds = strtod(file_read(dir_path(tasks.gl_pathv[i], "schedstat"), NULL), NULL);
	globfree(&tasks);
	if (nanoseconds < 0)
		die("there is no thread %s", name);
	return nanoseconds / 1e9;
}

const char *daemon_socket(const struct daemon *daemon)
{
	return daemon->socket;
}

const char *daemon_state_dir(const struct daemon *daemon)
{
	return daemon->state_dir;
}

const char *daemon_program(void)
{
	return ELLUMINATED_PATH;
}

const char *daemon_log_path(const struct daemon *daemon)
{
	return daemon->log_path;
}

const char *daemon_log(const struct daemon *daemon)
{
	const char *log = file_read(daemon->log_path, NULL);

	return log ? log : "";
}

struct wire *daemon_connect(const struct daemon *daemon)
{
	struct wire *wire = wire_try_open(daemon->socket);

	if (!wire)
		die("%s: %s; the daemon's log: %s", daemon->socket, strerror(errno),
		    daemon_log(daemon));
	return wire;
}

bool daemon_is_well(const struct daemon *daemon)
{
	struct wire *wire = daemon_connect(daemon);
	json_object *status = wire_call(wire, "GetStatus", "{}");
	bool well = at_number(status, "uptime_seconds") >= 0;

	json_object_put(status);
	wire_close(wire);
	return well;
}
