/* elluminate stop and restart: the daemon as a process, by the service manager where that has it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "proto/generated/interface.h"

/* Which one it is. 0, or the exit status. */
static int get_pid(struct cli *cli, pid_t *ret_pid)
{
	struct ellu_get_status_request request = ELLU_RECORD(struct ellu_get_status_request);
	const struct ellu_get_status_reply *reply;
	const struct ellu_error *error;
	int r = ellu_get_status(cli->daemon, &request, &reply, &error);

	if (r < 0)
		return cli_fail(r, error);
	*ret_pid = (pid_t) reply->pid;
	ellu_free(reply);
	return 0;
}

/* Asks it to end, and waits until it has. */
static int end_process(pid_t pid)
{
	struct pollfd ended = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	int r = ended.fd < 0 || pidfd_send_signal(ended.fd, SIGTERM, NULL, 0) < 0 ? -errno : 0;

	while (r == 0 && poll(&ended, 1, -1) < 0)
		if (errno != EINTR)
			r = -errno;
	if (ended.fd >= 0)
		close(ended.fd);
	return r == -ESRCH ? 0 : r;
}

int command_stop(struct cli *cli)
{
	pid_t pid = 0;
	int r, status;

	if (daemon_stop_unit(&cli->arguments))
		return 0;
	if (!cli_is_there(cli)) {
		cli_note(cli, "No daemon runs.");
		return 0;
	}
	status = get_pid(cli, &pid);
	cli->daemon = ellu_close(cli->daemon);
	if (status != 0)
		return status;
	r = end_process(pid);
	if (r == 0)
		return 0;
	cli_error("the daemon (process %lld) cannot be stopped: %s%s", (long long) pid, strerror(-r),
		  r == -EPERM ? "; try sudo systemctl stop elluminated" : "");
	return ellu_error_exit_status(r);
}

int command_restart(struct cli *cli)
{
	int status;

	if (!cli_may_start(&cli->arguments)) {
		cli_error("restart: only your own daemon, in its own place, is started from here");
		return EXIT_USAGE;
	}
	status = command_stop(cli);
	return status == 0 ? cli_connect(cli) : status;
}
