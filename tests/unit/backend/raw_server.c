#include "tests/unit/backend/raw_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/suite.h"

static size_t body_size(const char *head)
{
	const char *line = strcasestr(head, "\r\nContent-Length:");

	return line ? strtoul(line + 17, NULL, 10) : 0;
}

static bool read_request(struct raw_server *server, int fd)
{
	size_t size = 0;

	while (size < sizeof(server->request) - 1) {
		ssize_t n = recv(fd, server->request + size, sizeof(server->request) - 1 - size, 0);
		const char *end;

		if (n <= 0)
			return false;
		size += (size_t)n;
		server->request[size] = '\0';
		end = strstr(server->request, "\r\n\r\n");
		if (end && size >= (size_t)(end + 4 - server->request) + body_size(server->request))
			return true;
	}
	return false;
}

static bool send_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes += n;
		size -= (size_t)n;
	}
	return true;
}

static void send_reply(const struct raw_reply *reply, int fd)
{
	bool ok = send_all(fd, reply->bytes, reply->size ? reply->size : strlen(reply->bytes));

	for (unsigned i = 0; ok && reply->more && i < reply->n_more; i++)
		ok = send_all(fd, reply->more, strlen(reply->more));
	if (ok && reply->last)
		(void)send_all(fd, reply->last, strlen(reply->last));
}

static void *serve(void *userdata)
{
	struct raw_server *server = userdata;
	const struct raw_reply *reply;
	int fd;

	while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
		const struct linger at_once = { .l_onoff = 1 };
		char byte;

		pthread_mutex_lock(&server->lock);
		reply = read_request(server, fd) ? server->reply : NULL;
		server->n_requests += reply != NULL;
		pthread_mutex_unlock(&server->lock);
		if (reply) {
			send_reply(reply, fd);
			if (reply->end == RAW_RESET)
				setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
			if (reply->end == RAW_HOLD)
				while (recv(fd, &byte, 1, 0) > 0)
					;
		}
		close(fd);
	}
	return NULL;
}

void raw_server_start(struct raw_server *server, const struct raw_reply *reply)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);

	pthread_mutex_init(&server->lock, NULL);
	server->reply = reply;
	server->n_requests = 0;
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(server->fd, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(server->fd, 16), 0);
	ck_assert_int_eq(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u/v1",
		 ntohs(address.sin_port));
	ck_assert_int_eq(pthread_create(&server->thread, NULL, serve, server), 0);
}

void raw_server_say(struct raw_server *server, const struct raw_reply *reply)
{
	pthread_mutex_lock(&server->lock);
	server->reply = reply;
	pthread_mutex_unlock(&server->lock);
}

const char *raw_server_heard(struct raw_server *server, int *ret_n)
{
	pthread_mutex_lock(&server->lock);
	if (ret_n)
		*ret_n = server->n_requests;
	pthread_mutex_unlock(&server->lock);
	return server->request;
}

void raw_server_stop(struct raw_server *server)
{
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
	pthread_mutex_destroy(&server->lock);
}
