#include "tests/bench/ping_pong.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/harness.h"

#define MESSAGE_MAX 65536

static _Noreturn void answer(int fd, size_t request_size, size_t reply_size)
{
	char request[MESSAGE_MAX], reply[MESSAGE_MAX] = { 0 };
	size_t got = 0;
	ssize_t n;

	memset(reply, 'x', reply_size - 1);
	for (;;) {
		n = read(fd, request + got, request_size - got);
		if (n <= 0)
			_exit(0);
		got += (size_t)n;
		if (got < request_size)
			continue;
		got = 0;
		if (write(fd, reply, reply_size) != (ssize_t)reply_size)
			_exit(1);
	}
}

int ping_pong_start(size_t request_size, size_t reply_size)
{
	int fds[2];
	pid_t pid;

	if (request_size > MESSAGE_MAX || reply_size == 0 || reply_size > MESSAGE_MAX)
		die("a message of %zu bytes is not small", reply_size);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		die("socketpair: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid == 0) {
		close(fds[0]);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		answer(fds[1], request_size, reply_size);
	}
	close(fds[1]);
	return fds[0];
}

double ping_pong_round_trip(int fd, const char *request, size_t request_size, size_t *ret_size)
{
	char reply[MESSAGE_MAX];
	size_t got = 0;
	double begin = now_seconds();
	ssize_t n;

	if (send(fd, request, request_size, MSG_NOSIGNAL) != (ssize_t)request_size)
		die("send: %s", strerror(errno));
	do {
		if (got == sizeof(reply))
			die("the reply is not small");
		n = read(fd, reply + got, sizeof(reply) - got);
		if (n <= 0)
			die("the other side closed");
		got += (size_t)n;
	} while (reply[got - 1] != '\0');
	if (ret_size)
		*ret_size = got;
	return now_seconds() - begin;
}
