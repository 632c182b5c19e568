#include "tests/integration/key_echo.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/suite.h"

static size_t read_request(int fd, char *request, size_t size_max)
{
	size_t size = 0, wanted = size_max;
	const char *head_end, *header;
	ssize_t n;

	while (size < wanted && (n = read(fd, request + size, size_max - 1 - size)) > 0) {
		size += (size_t)n;
		request[size] = '\0';
		head_end = strstr(request, "\r\n\r\n");
		header = strcasestr(request, "Content-Length:");
		if (head_end && header)
			wanted = (size_t)(head_end + 4 - request) + strtoul(header + 15, NULL, 10);
		else if (head_end && strncmp(request, "POST ", 5) != 0)
			wanted = 0; // it has no body, and gets no answer
	}
	return size;
}

static void echo_one(int fd)
{
	char request[65536] = "", said[4096] = "", reply[16384];
	unsigned n = 0;
	int status = 0;

	(void)read_request(fd, request, sizeof(request));
	if (sscanf(request, "POST /%d/", &status) != 1)
		return;
	for (const char *at = request; (at = strstr(at, "sk-")); at += 3)
		n++, sprintf(said + strlen(said), " %.35s", at);
	snprintf(reply, sizeof(reply),
		 "HTTP/1.1 %d Some\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
		 "{\"id\":\"%.35s\",\"message\":\"%u of them:%s\",\"%s\":%s{\"message\":%s\"Incorrect API keys, %u of them:%s."
		 " So %s it is.\"}%s}", status, said + (n > 0), n, said, status == 200 ? "choices" : "error",
		 status == 200 ? "[" : "", status == 200 ? "{\"content\":" : "", n, said, said,
		 status == 200 ? "}]" : "");
	(void)!write(fd, reply, strlen(reply));
}

const char *key_echo_start(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(listener, 64), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			int fd = accept(listener, NULL, NULL);

			echo_one(fd);
			close(fd);
		}
	}
	close(listener);
	return text("http://127.0.0.1:%u", ntohs(address.sin_port));
}
