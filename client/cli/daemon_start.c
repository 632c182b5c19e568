#include "client/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/view/text.h"
#include "client/elluminate.h"

#define READY_SECONDS 60 // a daemon with much to recover takes a while
#define RACE_SECONDS 5 // for the daemon that another command has started
#define IDLE_EXIT_SECONDS "600"
#define READY_FD 3
#define READY_FD_TEXT "3"
#define UNIT "elluminated.service"

extern char **environ;

/* ---- Places ---- */

static int make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		if (!slash)
			return 0;
		*slash = '/';
	}
}

/* The state folder, made if need be. */
static int state_folder(char path[static PATH_MAX])
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (state && *state == '/')
		n = snprintf(path, PATH_MAX, "%s/elluminate", state);
	else if (home && *home == '/')
		n = snprintf(path, PATH_MAX, "%s/.local/state/elluminate", home);
	else
		return -ENOENT;
	return n >= PATH_MAX ? -ENAMETOOLONG : make_folders(path);
}

static bool is_program(const char *path)
{
	return access(path, X_OK) == 0;
}

static bool find_beside(const char *relative, char path[static PATH_MAX])
{
	char self[PATH_MAX], joined[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n <= 0)
		return false;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return false;
	*slash = '\0';
	snprintf(joined, sizeof(joined), "%s/%s", self, relative);
	return realpath(joined, path) && is_program(path);
}

/* Behind "<3>2026-01-31T12:00:00.000Z ". */
static const char *sentence_of(const char *line)
{
	const char *space;

	if (line[0] == '<' && line[1] && line[2] == '>')
		line += 3;
	space = strchr(line, ' ');
	return space && space > line && space[-1] == 'Z' ? space + 1 : line;
}

/* The log's last sentence, or "". */
static void last_line(const char *log, char *ret_line, size_t size)
{
	char *line = NULL;
	size_t capacity = 0;
	FILE *in = fopen(log, "re");

	*ret_line = '\0';
	while (in && getline(&line, &capacity, in) > 0)
		snprintf(ret_line, size, "%s", sentence_of(line));
	ret_line[strcspn(ret_line, "\n")] = '\0';
	free(line);
	if (in)
		fclose(in);
}

/* Beside this command, in PATH, or where a build leaves it. */
static bool find_daemon(char path[static PATH_MAX])
{
	const char *folders = getenv("PATH");

	if (find_beside("elluminated", path))
		return true;
	while (folders && *folders) {
		int length = (int) strcspn(folders, ":");

		if (length > 0 && length < PATH_MAX - 16 &&
		    snprintf(path, PATH_MAX, "%.*s/elluminated", length, folders) < PATH_MAX &&
		    is_program(path))
			return true;
		folders += length + (folders[length] == ':');
	}
	return find_beside("../daemon/elluminated", path);
}

/* ---- The service manager ---- */

/* Its exit status, or negative. */
static int await_exit(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EPROTO;
}

/* Runs it silently. The same. */
static int run_quietly(const char *const *words)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int r;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	r = posix_spawnp(&pid, words[0], &actions, NULL, (char *const *) words, environ);
	posix_spawn_file_actions_destroy(&actions);
	return r != 0 ? -r : await_exit(pid);
}

/* True when the user's manager runs and has started the unit. */
static bool start_unit(void)
{
	static const char *const ask[] = { "systemctl", "--user", "--quiet", "cat", UNIT, NULL };
	static const char *const start[] = { "systemctl", "--user", "--quiet", "start", UNIT, NULL };
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char path[PATH_MAX];

	if (!runtime || snprintf(path, PATH_MAX, "%s/systemd/private", runtime) >= PATH_MAX ||
	    access(path, F_OK) < 0)
		return false;
	return run_quietly(ask) == 0 && run_quietly(start) == 0;
}

bool daemon_stop_unit(const struct arguments *arguments)
{
	const char *scope = arguments->system ? "--system" : "--user", *runtime = getenv("XDG_RUNTIME_DIR");
	const char *const ask[] = { "systemctl", scope, "--quiet", "is-active", UNIT, NULL };
	const char *const stop[] = { "systemctl", scope, "--quiet", "stop", UNIT, NULL };
	char path[PATH_MAX];

	if (arguments->socket || arguments->bus || (!arguments->system && !runtime) ||
	    snprintf(path, PATH_MAX, "%s/systemd/private", arguments->system ? "/run" : runtime) >= PATH_MAX ||
	    access(path, F_OK) < 0)
		return false;
	return run_quietly(ask) == 0 && run_quietly(stop) == 0;
}

/* ---- Its program, for a while ---- */

#define WORDS_MAX 8

int daemon_execute(const char *const *words, struct complaint *complaint)
{
	const char *line[WORDS_MAX + 2];
	char program[PATH_MAX];
	size_t n = 1;
	pid_t pid;
	int r;

	if (!find_daemon(program))
		return complain(complaint, "elluminated is neither beside this command nor in PATH");
	line[0] = program_invocation_short_name; // what it says is said by this command
	while (*words && n <= WORDS_MAX)
		line[n++] = *words++;
	line[n] = NULL;
	r = posix_spawn(&pid, program, NULL, NULL, (char *const *) line, environ);
	r = r != 0 ? -r : await_exit(pid);
	return r < 0 ? complain(complaint, "%s: %s", program, strerror(-r)) : r;
}

/* ---- Detached ---- */

/* What this process may have from who started it; the daemon is nobody's but ours. */
static const char *const starters[] = { "NOTIFY_SOCKET", "LISTEN_FDS", "DBUS_STARTER_ADDRESS",
					"DBUS_STARTER_BUS_TYPE" };

/* In the child: becomes the daemon, or exits. Of what the command has open, the daemon only
 * inherits the log and the pipe. */
static void become_daemon(const char *program, int log_fd, int ready_fd)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	if (setsid() < 0 || null < 0 || fork() != 0)
		_exit(EXIT_SUCCESS);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(null, STDIN_FILENO) < 0 || dup2(log_fd, STDOUT_FILENO) < 0 ||
	    dup2(log_fd, STDERR_FILENO) < 0 || dup2(ready_fd, READY_FD) < 0 ||
	    fcntl(READY_FD, F_SETFD, 0) < 0 || chdir("/") < 0)
		_exit(EXIT_FAILURE);
	(void) close_range(READY_FD + 1, ~0u, 0);
	for (size_t i = 0; i < sizeof(starters) / sizeof(starters[0]); i++)
		(void) unsetenv(starters[i]);
	execl(program, program, "--user", "--ready-fd", READY_FD_TEXT, "--idle-exit-seconds",
	      IDLE_EXIT_SECONDS, (char *) NULL);
	_exit(EXIT_FAILURE);
}

/* 1 when the daemon said that it is ready, 0 when it ended or took too long. */
static int await_ready(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char text[8];

	if (poll(&poll_fd, 1, READY_SECONDS * 1000) <= 0)
		return 0;
	return read(fd, text, sizeof(text)) > 0;
}

static bool is_another_there(void)
{
	struct ellu *handle;

	if (ellu_open(NULL, ELLU_BLOCKING, &handle) < 0)
		return false;
	ellu_close(handle);
	return true;
}

/* The daemon of another command may be a little ahead. */
static bool await_other(void)
{
	const struct timespec pause = { .tv_nsec = 50000000 };

	for (int i = 0; i < RACE_SECONDS * 20; i++) {
		if (is_another_there())
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static int spawn_detached(const char *program, int log_fd, int *ret_ready_fd)
{
	int pipe_fds[2];
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		become_daemon(program, log_fd, pipe_fds[1]);
	close(pipe_fds[1]);
	if (pid < 0) {
		close(pipe_fds[0]);
		return -errno;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	*ret_ready_fd = pipe_fds[0];
	return 0;
}

int daemon_start(char ret_program[static PATH_MAX], struct complaint *complaint)
{
	char program[PATH_MAX], folder[PATH_MAX], log[PATH_MAX + 8], line[400];
	int r, log_fd, ready_fd = -1, ready;

	*ret_program = '\0';
	if (start_unit() && await_other())
		return 0;
	if (!find_daemon(program))
		return complain(complaint, "no daemon runs, and elluminated is neither beside this "
					   "command nor in PATH");
	r = state_folder(folder);
	if (r < 0)
		return complain(complaint, "the state folder could not be made: %s", strerror(-r));
	snprintf(log, sizeof(log), "%s/log", folder);
	log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log_fd < 0)
		return complain(complaint, "%s: %s", log, strerror(errno));
	r = spawn_detached(program, log_fd, &ready_fd);
	close(log_fd);
	if (r < 0)
		return complain(complaint, "%s could not be started: %s", program, strerror(-r));
	ready = await_ready(ready_fd);
	close(ready_fd);
	if (ready) {
		strcpy(ret_program, program);
	} else if (!await_other()) {
		last_line(log, line, sizeof(line));
		return complain(complaint, "%s did not start: %s (log: %s)", program, line, log);
	}
	return 0;
}
