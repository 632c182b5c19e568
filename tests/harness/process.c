#include "tests/harness/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"

#define ARGUMENTS_MAX 32
#define EXIT_NOT_STARTED 127

/* Only what may be called between fork and exec. */
static void run_child(const struct process_options *options, char **argv, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(EXIT_NOT_STARTED);
	/* Whoever runs the test in the background has it ignored. */
	(void)signal(SIGINT, SIG_DFL);
	/* Its own group: a signal to the test's group is none for it. */
	(void)setpgid(0, 0);
	if (options->output) {
		int fd = open(options->output, O_WRONLY | O_CREAT | O_APPEND, 0600);

		if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
			_exit(EXIT_NOT_STARTED);
	}
	if (options->stdout_fd && dup2(options->stdout_fd, STDOUT_FILENO) < 0)
		_exit(EXIT_NOT_STARTED);
	if (options->ready_fd && options->ready_fd != 3 && dup2(options->ready_fd, 3) < 0)
		_exit(EXIT_NOT_STARTED);
	if (options->ready_fd == 3)
		(void)fcntl(3, F_SETFD, 0);
	(void)closefrom(options->ready_fd ? 4 : 3);
	for (const char *const *each = options->environment; each && *each; each++)
		(void)putenv((char *)*each);
	execv(options->path, argv);
	_exit(EXIT_NOT_STARTED);
}

pid_t process_start(const struct process_options *options)
{
	char *argv[ARGUMENTS_MAX + 2] = { (char *)options->path };
	size_t n = 1;
	pid_t parent = getpid(), pid;

	for (const char *const *each = options->arguments; each && *each; each++) {
		if (n > ARGUMENTS_MAX)
			die("too many arguments");
		argv[n++] = (char *)*each;
	}
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid == 0)
		run_child(options, argv, parent);
	return pid;
}

int process_wait(pid_t pid, double seconds)
{
	struct pollfd ended = { .events = POLLIN };
	double deadline = now_seconds() + seconds;
	int status, r;

	ended.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ended.fd < 0)
		die("process %d: %s", (int)pid, strerror(errno));
	do {
		double left = deadline - now_seconds();

		r = poll(&ended, 1, left > 0 ? (int)(left * 1000) + 1 : 0);
	} while (r < 0 && errno == EINTR);
	close(ended.fd);
	if (r == 0)
		return -1;
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
