#include "daemon/front/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/front/user.h"
#include "daemon/log.h"

#define READ_SIZE 8192

static void advance(struct connection *connection);

static size_t output_size(const struct connection *connection)
{
	return evbuffer_get_length(connection->out);
}

bool connection_has_room(const struct connection *connection)
{
	return !connection->dead && output_size(connection) < OUTPUT_LOW;
}

void connection_kill(struct connection *connection)
{
	if (connection->dead)
		return;
	connection->dead = true;
	front_reap_soon(connection->front);
}

static bool wants_input(const struct connection *connection)
{
	size_t waiting = connection->in.end - connection->in.start;

	if (!connection->started || connection->input_ended || connection->closing)
		return false;
	if (connection->call)
		return waiting < INPUT_WAITING_MAX;
	return connection_has_room(connection);
}

static void update_events(struct connection *connection)
{
	const struct timeval stall = {
		.tv_sec = front_get_options(connection->front)->output_stall_seconds
	};
	int r = 0;

	if (connection->dead)
		return;
	if (wants_input(connection))
		r = event_add(connection->readable, NULL);
	else
		event_del(connection->readable);
	/* Gone once it has fired, so the time-out counts from the last byte taken; what else the
	 * client does meanwhile does not put it off. */
	if (!output_size(connection))
		event_del(connection->writable);
	else if (!event_pending(connection->writable, EV_WRITE, NULL))
		r = event_add(connection->writable, &stall) < 0 ? -1 : r;
	if (r < 0)
		connection_kill(connection);
}

static void flush_output(struct connection *connection)
{
	while (output_size(connection)) {
		struct evbuffer_iovec pieces[8];
		int n = evbuffer_peek(connection->out, -1, NULL, pieces, 8);
		struct msghdr header = { 0 };
		ssize_t sent;

		header.msg_iov = (struct iovec *)pieces;
		header.msg_iovlen = n < 8 ? (size_t)n : 8;
		sent = sendmsg(connection->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0) {
			connection_kill(connection);
			return;
		}
		evbuffer_drain(connection->out, (size_t)sent);
	}
}

static void release(const void *data, size_t size, void *reply)
{
	(void)data;
	(void)size;
	reply_unref(reply);
}

/* What the socket takes at once needs no buffer. */
static size_t send_at_once(struct connection *connection, const struct reply *reply)
{
	ssize_t sent = send(connection->fd, reply->text, reply->size, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		connection_kill(connection);
	return sent < 0 ? 0 : (size_t)sent;
}

void connection_send(struct connection *connection, struct reply *reply)
{
	bool was_empty = !output_size(connection);
	size_t sent = 0;

	if (connection->dead || connection->closing)
		return;
	if (was_empty)
		sent = send_at_once(connection, reply);
	if (connection->dead || sent == reply->size)
		return;
	if (evbuffer_add_reference(connection->out, reply->text + sent, reply->size - sent, release,
				   reply_ref(reply)) < 0) {
		reply_unref(reply);
		connection_kill(connection); // half a message is nothing to go on from
		return;
	}
	if (was_empty)
		update_events(connection);
}

void connection_send_text(struct connection *connection, char *text, size_t size)
{
	struct reply *reply = reply_new_text(text, size);

	if (reply)
		connection_send(connection, reply);
	else
		connection_kill(connection);
	reply_unref(reply);
}

void connection_call_ended(struct connection *connection)
{
	struct call *call = connection->call;

	if (!call)
		return;
	connection->call = NULL;
	call->front = NULL;
	call_unref(call);
	if (!connection->advancing && !connection->dead)
		advance(connection);
}

/* Whose caller is gone is told so; a call that follows a task would otherwise never end. */
static void end_of_input(struct connection *connection)
{
	struct call *call = connection->call;

	connection->input_ended = true;
	if (!call || call->method->replies != METHOD_REPLIES_EVENTS)
		return;
	connection->call = NULL;
	call_abandon(call);
	call_unref(call);
}

/* Begins the calls that wait, as far as answers have room. */
static void advance(struct connection *connection)
{
	char *message;
	size_t size;
	int r = 1;

	connection->advancing = true;
	while (r > 0 && !connection->call && !connection->closing &&
	       connection_has_room(connection)) {
		r = frame_next(&connection->in, &message, &size);
		if (r > 0) {
			front_touch(connection);
			varlink_dispatch(connection, message, size);
		} else if (r < 0) {
			/* Too large a message: says so, and closes. */
			varlink_dispatch(connection, NULL, 0);
		}
	}
	connection->advancing = false;
	if (connection->input_ended && !connection->call && r == 0)
		connection->closing = true;
	if (connection->closing && !output_size(connection))
		connection_kill(connection);
	/* Thousands of idle connections keep no buffers. */
	if (connection->in.start == connection->in.end && !connection->dead)
		frame_done(&connection->in);
	update_events(connection);
}

static void on_readable(evutil_socket_t fd, short events, void *userdata)
{
	struct connection *connection = userdata;
	size_t room, want = frame_pending(&connection->in) ? FRAME_READ_SIZE : READ_SIZE;
	char *data;
	ssize_t n;

	(void)events;
	if (frame_reserve(&connection->in, want, &data, &room) < 0) {
		connection_kill(connection);
		return;
	}
	n = recv(fd, data, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		connection_kill(connection);
		return;
	}
	if (n == 0)
		end_of_input(connection);
	else
		frame_commit(&connection->in, (size_t)n);
	advance(connection);
}

static void on_writable(evutil_socket_t fd, short events, void *userdata)
{
	struct connection *connection = userdata;

	(void)fd;
	if (events & EV_TIMEOUT) {
		log_about(LOG_NOTICE, ABOUT(.message = LOG_CLIENT_DROPPED),
			  "a client of user %lld took nothing for %lld seconds: dropped",
			  (long long)connection->user->uid,
			  (long long)front_get_options(connection->front)->output_stall_seconds);
		connection_kill(connection);
		return;
	}
	flush_output(connection);
	if (connection->dead)
		return;
	if (connection->call && connection_has_room(connection))
		call_writable(connection->call);
	if (!connection->dead)
		advance(connection);
}

void connection_start(struct connection *connection)
{
	connection->started = true;
	update_events(connection);
}

int connection_new(struct front *front, struct front_user *user, int fd,
		   struct connection **ret_connection)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	struct event_base *base = loop_base(front_loop(front));

	if (!connection)
		return -ENOMEM;
	connection->front = front;
	connection->user = user;
	connection->fd = -1;
	frame_init(&connection->in);
	connection->out = evbuffer_new();
	connection->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, connection);
	connection->writable = event_new(base, fd, EV_WRITE, on_writable, connection);
	if (!connection->out || !connection->readable || !connection->writable) {
		connection_free(connection);
		return -ENOMEM;
	}
	connection->fd = fd;
	*ret_connection = connection;
	return 0;
}

struct connection *connection_free(struct connection *connection)
{
	if (!connection)
		return NULL;
	connection->dead = true;
	if (connection->call) {
		struct call *call = connection->call;

		connection->call = NULL;
		call_abandon(call);
		call_unref(call);
	}
	if (connection->readable)
		event_free(connection->readable);
	if (connection->writable)
		event_free(connection->writable);
	if (connection->out)
		evbuffer_free(connection->out);
	frame_done(&connection->in);
	if (connection->fd >= 0)
		close(connection->fd);
	free(connection);
	return NULL;
}
