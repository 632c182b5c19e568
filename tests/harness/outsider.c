#include "tests/harness/outsider.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/harness.h"

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

uint16_t outsider_port(void)
{
	struct sockaddr_in address = loopback(0);
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		die("there is no free port");
	close(fd);
	return ntohs(address.sin_port);
}

static bool listens(uint16_t port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

	close(fd);
	return connected;
}

void outsider_await(uint16_t port, double seconds, const char *log)
{
	double deadline = now_seconds() + seconds;

	while (!listens(port)) {
		if (now_seconds() > deadline)
			die("nobody listens at port %u: %s", port, file_read(log, NULL));
		(void)poll(NULL, 0, 20);
	}
}
