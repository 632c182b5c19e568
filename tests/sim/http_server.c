#include "tests/sim/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
#define ACCEPTS_A_TURN 64
#define PAUSE_SECONDS 1

struct http_server {
	struct event_base *base;
	const struct http_handler *handler;
	int fd;
	uint16_t port;
	struct event accept_event, resume_event;
	struct http_conn_list conns;
	struct http_conn_stats stats;
};

static void on_resume(evutil_socket_t fd, short what, void *userdata)
{
	struct http_server *server = userdata;

	(void) fd;
	(void) what;
	event_add(&server->accept_event, NULL);
}

static void on_accept(evutil_socket_t listener, short what, void *userdata)
{
	const struct timeval pause = { .tv_sec = PAUSE_SECONDS };
	struct http_server *server = userdata;
	const int on = 1;

	(void) what;
	for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			http_conn_new(server->base, fd, server->handler, &server->conns, &server->stats);
		} else if (errno == EMFILE || errno == ENFILE) {
			event_del(&server->accept_event);
			evtimer_add(&server->resume_event, &pause);
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return;
		}
	}
}

static int listen_on(uint16_t port, int *ret_fd, uint16_t *ret_port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(address);
	const int on = 1;
	int fd, r;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *) &address, size) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *) &address, &size) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	*ret_port = ntohs(address.sin_port);
	return 0;
}

int http_server_new(struct event_base *base, uint16_t port, const struct http_handler *handler,
		    struct http_server **ret_server)
{
	struct http_server *server = must_have(calloc(1, sizeof(*server)));
	int r = listen_on(port, &server->fd, &server->port);

	if (r < 0) {
		free(server);
		return r;
	}
	server->base = base;
	server->handler = handler;
	LIST_INIT(&server->conns);
	event_assign(&server->accept_event, base, server->fd, EV_READ | EV_PERSIST, on_accept, server);
	evtimer_assign(&server->resume_event, base, on_resume, server);
	event_add(&server->accept_event, NULL);
	*ret_server = server;
	return 0;
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	while (!LIST_EMPTY(&server->conns))
		http_conn_free(LIST_FIRST(&server->conns));
	event_del(&server->accept_event);
	event_del(&server->resume_event);
	close(server->fd);
	free(server);
}

uint16_t http_server_port(const struct http_server *server)
{
	return server->port;
}

const struct http_conn_stats *http_server_stats(const struct http_server *server)
{
	return &server->stats;
}
