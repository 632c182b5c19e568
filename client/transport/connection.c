#include "client/transport/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/transport/backoff.h"
#include "client/transport/bus_socket.h"
#include "client/transport/trace.h"
#include "proto/wire/message.h"

/* ---- Opening ---- */

static int open_once(struct connection *connection, const struct address *address)
{
	const struct sockaddr_un *path = &address->socket;
	int r;

	if (address->kind != ADDRESS_SOCKET) {
		r = bus_socket_new(address->kind == ADDRESS_SYSTEM_BUS, &connection->bus);
		connection->fd = r < 0 ? -1 : bus_socket_fd(connection->bus);
		return r;
	}
	if (connection->fd < 0)
		connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connection->fd < 0)
		return -errno;
	return connect(connection->fd, (const struct sockaddr *) path, sizeof(*path)) < 0 ? -errno : 0;
}

int connection_open(const struct address *address, uint64_t patience_usec, struct connection **ret)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	uint64_t begin = now_usec();
	int r;

	if (!connection)
		return -ENOMEM;
	connection->fd = -1;
	frame_init(&connection->in);
	while ((r = open_once(connection, address)) == -EAGAIN && patience_usec != 0) {
		if (now_usec() - begin >= patience_usec) {
			r = -ETIMEDOUT;
			break;
		}
		(void) poll_until(-1, 0, now_usec() + CONNECTION_RETRY_USEC);
	}
	if (r < 0)
		connection_close(connection);
	else
		*ret = connection;
	return r;
}

int connection_ask(struct connection *connection, int *ret_socket)
{
	int r = bus_socket_step(connection->bus, ret_socket);

	if (r == 0)
		connection->fd = bus_socket_fd(connection->bus);
	if (r >= 0)
		return r;
	connection->cut = true;
	connection->reason = r == -ECONNRESET ? 0 : r;
	return -ECONNRESET;
}

const struct fault *connection_fault(const struct connection *connection)
{
	return connection->bus ? bus_socket_fault(connection->bus) : NULL;
}

void connection_take_socket(struct connection *connection, int socket)
{
	connection->bus = bus_socket_free(connection->bus);
	connection->fd = socket;
}

struct connection *connection_close(struct connection *connection)
{
	if (!connection)
		return NULL;
	if (connection->bus)
		bus_socket_free(connection->bus);
	else if (connection->fd >= 0)
		close(connection->fd);
	frame_done(&connection->in);
	free(connection->out);
	free(connection);
	return NULL;
}

bool connection_is_reusable(const struct connection *connection)
{
	return !connection->out && frame_pending(&connection->in) == 0;
}

bool connection_is_fresh(const struct connection *connection)
{
	char byte;

	return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

int connection_send(struct connection *connection, char *message, size_t size)
{
	char *all;

	trace_frame(connection->fd, /* sent= */ true, message, size);
	if (!connection->out) {
		connection->out = message;
		connection->out_size = connection->out_sent = 0;
	} else {
		all = realloc(connection->out, connection->out_size + size);
		if (all) {
			memcpy(all + connection->out_size, message, size);
			connection->out = all;
		}
		free(message);
		if (!all)
			return -ENOMEM;
	}
	connection->out_size += size;
	return connection_flush(connection);
}

char *connection_take_back(struct connection *connection)
{
	char *message = connection->out;

	connection->out = NULL;
	return message;
}

int connection_next(struct connection *connection, char **ret_message, size_t *ret_size)
{
	int r = frame_next(&connection->in, ret_message, ret_size);

	if (r > 0)
		trace_frame(connection->fd, /* sent= */ false, *ret_message, *ret_size);
	return r;
}

void connection_rest(struct connection *connection)
{
	if (frame_pending(&connection->in) == 0)
		frame_done(&connection->in);
}

int connection_flush(struct connection *connection)
{
	while (connection->out && !connection->cut && !connection->bus) {
		ssize_t n = send(connection->fd, connection->out + connection->out_sent,
				 connection->out_size - connection->out_sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno != EPIPE && errno != ECONNRESET)
			return -errno;
		/* The last words of a daemon that hung up can still be read. */
		if (n < 0) {
			connection->cut = true;
			return 0;
		}
		connection->out_sent += (size_t) n;
		if (connection->out_sent == connection->out_size) {
			free(connection->out);
			connection->out = NULL;
		}
	}
	return 0;
}

int connection_fill(struct connection *connection)
{
	size_t size;
	char *room;
	ssize_t n;
	int r;

	if (connection->ended)
		return -ECONNRESET;
	r = frame_reserve(&connection->in, FRAME_READ_SIZE, &room, &size);
	if (r < 0)
		return r;
	do
		n = recv(connection->fd, room, size, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0) {
		connection->ended = true;
		return -ECONNRESET;
	}
	frame_commit(&connection->in, (size_t) n);
	return 1;
}

short connection_events(const struct connection *connection)
{
	if (connection->bus)
		return bus_socket_events(connection->bus);
	return connection->out && !connection->cut ? POLLIN | POLLOUT : POLLIN;
}

int poll_until(int fd, short events, uint64_t deadline_usec)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	uint64_t now = now_usec();
	struct timespec left = timespec_of(deadline_usec > now ? deadline_usec - now : 0);
	int n = ppoll(&poll_fd, 1, deadline_usec == UINT64_MAX ? NULL : &left, NULL);

	return n < 0 ? -errno : n;
}
