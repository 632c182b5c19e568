#include "tests/harness/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include "tests/harness/dir.h"
#include "tests/harness/harness.h"
#include "tests/harness/process.h"

#define ARGUMENTS_MAX 32

static struct command *make(void)
{
	struct command *command = calloc(1, sizeof(*command));

	if (!command)
		die("out of memory");
	command->out = text("%s", "");
	command->err = "";
	return command;
}

static const char *socket_variable(const struct daemon *daemon)
{
	return text("ELLUMINATE_SOCKET=%s", daemon_socket(daemon));
}

struct command *command_start(const struct daemon *daemon, const char *const *arguments)
{
	return command_start_program(daemon, ELLUMINATE_PATH, arguments);
}

struct command *command_start_line(const struct daemon *daemon, const char *line)
{
	return command_start_program(daemon, "/bin/sh",
				     (const char *const[]) { "-c", line, ELLUMINATE_PATH, NULL });
}

struct command *command_start_program(const struct daemon *daemon, const char *path,
				      const char *const *arguments)
{
	const char *environment[] = { socket_variable(daemon), "LC_ALL=C.UTF-8", "TERM=dumb", NULL };
	struct command *command = make();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe2: %s", strerror(errno));
	command->err_path = dir_path(dir_new(), "err");
	command->fd = ends[0];
	command->pid = process_start(&(struct process_options) {
		.path = path, .arguments = arguments, .environment = environment,
		.output = command->err_path, .stdout_fd = ends[1] });
	close(ends[1]);
	return command;
}

struct command *command_start_on_terminal(const struct daemon *daemon, int columns, int lines,
					  const char *const *arguments)
{
	struct winsize size = { .ws_col = (unsigned short)columns, .ws_row = (unsigned short)lines };
	const char *socket = socket_variable(daemon);
	char *argv[ARGUMENTS_MAX + 2] = { "elluminate" };
	struct command *command = make();
	pid_t parent = getpid();
	int terminal;

	for (size_t n = 0; arguments[n] && n < ARGUMENTS_MAX; n++)
		argv[n + 1] = (char *)arguments[n];
	if (openpty(&command->fd, &terminal, NULL, NULL, &size) < 0)
		die("openpty: %s", strerror(errno));
	command->modes_before = command_termios(command);
	command->pid = fork();
	if (command->pid < 0)
		die("fork: %s", strerror(errno));
	if (command->pid > 0) {
		close(terminal);
		return command;
	}
	close(command->fd);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || login_tty(terminal) < 0)
		_exit(127);
	(void)signal(SIGINT, SIG_DFL);
	(void)putenv((char *)socket);
	(void)putenv("LC_ALL=C.UTF-8");
	(void)putenv("TERM=xterm");
	if (!getenv("PAGER"))
		(void)putenv("PAGER=");
	execv(ELLUMINATE_PATH, argv);
	_exit(127);
}

/* Reads on: false at the end of the output. A terminal whose other side is gone says EIO. */
static bool read_more(struct command *command, double deadline)
{
	struct pollfd ready = { .fd = command->fd, .events = POLLIN };
	double left = deadline - now_seconds();
	char bytes[4096];
	ssize_t n;

	if (poll(&ready, 1, left > 0 ? (int)(left * 1000) + 1 : 0) == 0)
		die("the command says no more than: %s", command->out + command->seen);
	n = read(command->fd, bytes, sizeof(bytes));
	if (n <= 0)
		return false;
	command->out = realloc(command->out, command->size + (size_t)n + 1);
	if (!command->out)
		die("out of memory");
	memcpy(command->out + command->size, bytes, (size_t)n);
	command->size += (size_t)n;
	command->out[command->size] = '\0';
	return true;
}

void command_await(struct command *command, const char *wanted)
{
	double deadline = now_seconds() + WAIT_SECONDS;
	const char *found;

	while (!(found = strstr(command->out + command->seen, wanted)))
		if (!read_more(command, deadline))
			die("the command ended without %s: %s", wanted, command->out);
	command->seen = (size_t)(found - command->out) + strlen(wanted);
}

/* Runnable no more: it waits, was stopped or has ended. */
static bool is_at_rest(const char *path)
{
	char *stat = file_read(path, NULL);
	const char *state = stat ? strrchr(stat, ')') : NULL;
	bool at_rest = !state || !strchr("RD", state[2]);

	free(stat);
	return at_rest;
}

/* To one that waits: what comes just as a write returns may be lost in ThreadSanitizer. */
void command_signal(const struct command *command, int signal)
{
	const char *path = text("/proc/%d/stat", (int)command->pid);

	while (!is_at_rest(path))
		(void)poll(NULL, 0, 2);
	if (kill(command->pid, signal) < 0)
		die("kill: %s", strerror(errno));
}

void command_await_stopped(const struct command *command)
{
	siginfo_t info;

	if (waitid(P_PID, (id_t)command->pid, &info, WSTOPPED | WNOWAIT) < 0)
		die("waitid: %s", strerror(errno));
}

int command_end(struct command *command)
{
	double deadline = now_seconds() + WAIT_SECONDS;
	int status;

	while (read_more(command, deadline))
		;
	status = process_wait(command->pid, WAIT_SECONDS);
	if (status < 0)
		die("the command does not end: %s", command->out);
	if (!command->err_path)
		command->modes_after = command_termios(command);
	close(command->fd);
	if (command->err_path)
		command->err = file_read(command->err_path, NULL);
	return status;
}

void command_type(const struct command *command, const char *keys)
{
	if (write(command->fd, keys, strlen(keys)) != (ssize_t)strlen(keys))
		die("the terminal takes no key");
}

void command_resize(const struct command *command, int columns, int lines)
{
	struct winsize size = { .ws_col = (unsigned short)columns, .ws_row = (unsigned short)lines };

	if (ioctl(command->fd, TIOCSWINSZ, &size) < 0)
		die("TIOCSWINSZ: %s", strerror(errno));
}

struct termios command_termios(const struct command *command)
{
	struct termios modes;

	if (tcgetattr(command->fd, &modes) < 0)
		die("tcgetattr: %s", strerror(errno));
	return modes;
}

static struct command *ended_with(struct command *command, int status, const char *const *arguments)
{
	int got = command_end(command);

	if (got != status)
		die("elluminate %s %s: status %d instead of %d\n%s%s", arguments[0],
		    arguments[1] ? arguments[1] : "", got, status, command->out, command->err);
	return command;
}

struct command *command_run(const struct daemon *daemon, int status, const char *const *arguments)
{
	return ended_with(command_start(daemon, arguments), status, arguments);
}

struct command *command_run_line(const struct daemon *daemon, int status, const char *line)
{
	return ended_with(command_start_line(daemon, line), status, (const char *const[]) { line, NULL });
}
