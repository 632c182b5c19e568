#include "daemon/front/http/http_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/front/http/http_exchange.h"
#include "daemon/front/http/http_request.h"
#include "daemon/front/http/http_socket.h"
#include "daemon/front/http/http_state.h"
#include "proto/generated/interface.h"

#define READ_LARGE 65536
/* What is read of a refused body, so that the answer is not lost in a reset. */
#define DRAIN_MAX (1024 * 1024)

/* ---- The head ---- */

/* `size` 0: it is longer than it may be. */
static void take_head(struct http_connection *connection, size_t size)
{
	struct http_exchange *exchange = http_exchange_new(connection);
	struct http_refusal refusal = { 431, "the head is too long" };
	char *text = exchange ? malloc(size + 1) : NULL;

	if (!text) {
		http_connection_kill(connection);
		http_unref(exchange);
		return;
	}
	connections_touch(&connection->http->connections, &connection->link);
	memcpy(text, connection->in, size);
	memmove(connection->in, connection->in + size, connection->in_size - size);
	connection->in_size -= size;
	connection->scanned = 0;
	connection->exchange = exchange;
	exchange->text = text;
	if (!size || http_head_parse(text, size, &exchange->head, &refusal) < 0)
		http_refuse(connection, refusal.status, ELLU_E_INVALID_MESSAGE, refusal.reason);
	else
		http_request_begin(connection);
}

/* ---- One step after the other ---- */

/* The answer has left. What the peer has sent meanwhile is read, or it would be told of a reset before
 * it reads the answer. */
static void close_softly(struct http_connection *connection)
{
	if (connection->state == HTTP_DRAINS)
		return;
	if (connection->input_ended || shutdown(connection->fd, SHUT_WR) < 0) {
		http_connection_kill(connection);
		return;
	}
	connection->state = HTTP_DRAINS;
	connection->in_size = 0;
	http_connection_watch_anew(connection);
}

/* One step of what is there. False: more must come, or be sent. */
static bool step(struct http_connection *connection)
{
	size_t end;
	ssize_t used;

	switch (connection->state) {
	case HTTP_WAITS:
		if (connection->closing || connection->waiter.list || !connection->in_size ||
		    output_size(&connection->output))
			return false;
		/* A blank line behind a body is forgiven, as it always was. */
		if (connection->in_size >= 2 && memcmp(connection->in, "\r\n", 2) == 0) {
			connection->in_size -= 2;
			memmove(connection->in, connection->in + 2, connection->in_size);
			return true;
		}
		end = http_head_end(connection->in, connection->in_size, &connection->scanned);
		if (!end && connection->in_size < HTTP_HEAD_MAX)
			return false;
		take_head(connection, end);
		return true;
	case HTTP_READS:
		if (!connection->in_size)
			return false;
		used = http_request_add(connection, connection->in, connection->in_size);
		if (used >= 0) {
			connection->in_size -= (size_t)used;
			memmove(connection->in, connection->in + used, connection->in_size);
		}
		return used >= 0;
	case HTTP_DECODES:
		if (connection->decoding || connection->introduced)
			return false;
		http_request_decode(connection);
		return true;
	default:
		return false;
	}
}

static void advance(struct http_connection *connection)
{
	connection->advancing = true;
	while (!connection->dead && step(connection))
		;
	connection->advancing = false;
	if (connection->dead)
		return;
	if (connection->input_ended && !connection->exchange && !connection->in_size)
		connection->closing = true;
	if (connection->closing && !connection->exchange && !output_size(&connection->output))
		close_softly(connection);
	if (!connection->in_size) {
		free(connection->in);
		connection->in = NULL;
	}
	http_connection_watch(connection);
}

/* ---- Input ---- */

static void end_of_input(struct http_connection *connection)
{
	connection->input_ended = true;
	if (connection->state == HTTP_DRAINS || connection->state == HTTP_READS ||
	    (connection->exchange && http_exchange_follows(connection->exchange)))
		http_connection_kill(connection);
}

static void on_received(struct http_connection *connection, ssize_t n)
{
	if (n == 0)
		end_of_input(connection);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		http_connection_kill(connection);
}

/* A body whose length is known is read where it belongs. */
static void read_body(struct http_connection *connection)
{
	struct http_exchange *exchange = connection->exchange;
	size_t missing = connection->body_capacity - exchange->body_size;
	ssize_t n = recv(connection->fd, exchange->body + exchange->body_size,
			 missing < READ_LARGE ? missing : READ_LARGE, MSG_DONTWAIT);

	on_received(connection, n);
	if (n <= 0)
		return;
	exchange->body_size += (size_t)n;
	exchange->body[exchange->body_size] = '\0';
	if (exchange->body_size == connection->body_capacity)
		connection->state = HTTP_DECODES;
}

static void read_input(struct http_connection *connection)
{
	ssize_t n;

	connection->unread = false;
	if (connection->state == HTTP_READS && !connection->exchange->head.chunked && !connection->in_size) {
		read_body(connection);
		return;
	}
	if (!connection->in)
		connection->in = malloc(HTTP_HEAD_MAX);
	if (!connection->in || connection->in_size == HTTP_HEAD_MAX) {
		if (!connection->in)
			http_connection_kill(connection);
		return;
	}
	n = recv(connection->fd, connection->in + connection->in_size,
		 HTTP_HEAD_MAX - connection->in_size, MSG_DONTWAIT);
	on_received(connection, n);
	if (n <= 0 || connection->dead)
		return;
	if (connection->state == HTTP_DRAINS) {
		connection->drained += (size_t)n;
		if (connection->drained > DRAIN_MAX)
			http_connection_kill(connection);
		return;
	}
	/* The clock of a request starts. */
	if (connection->state == HTTP_WAITS && !connection->in_size) {
		connection->in_size = (size_t)n;
		http_connection_watch_anew(connection);
	} else {
		connection->in_size += (size_t)n;
	}
}

static void on_readable(evutil_socket_t fd, short events, void *userdata)
{
	struct http_connection *connection = userdata;
	struct user *user = connection->user;

	(void)fd;
	(void)events;
	if (connection->dead)
		return;
	if (connection->waiter.list || !user_take_turn(user, &connection->waiter)) {
		connection->unread = true;
		http_connection_watch(connection);
		return;
	}
	user_begin_work(user);
	read_input(connection);
	if (!connection->dead)
		advance(connection);
	user_end_work(user);
}

static void on_late(evutil_socket_t fd, short events, void *userdata)
{
	struct http_connection *connection = userdata;
	bool has_begun = connection->state == HTTP_READS ||
			 (connection->state == HTTP_WAITS && connection->in_size);

	(void)fd;
	(void)events;
	if (connection->dead)
		return;
	if (!has_begun) {
		http_connection_kill(connection);
		return;
	}
	if (!connection->exchange)
		connection->exchange = http_exchange_new(connection);
	if (!connection->exchange) {
		http_connection_kill(connection);
		return;
	}
	http_refuse(connection, 408, ELLU_E_TIMEOUT, "the request did not end in time");
	advance(connection);
}

/* Its user's turn has come, or the store knows him. */
static void on_wake(struct user_waiter *waiter)
{
	struct http_connection *connection = container_of(waiter, struct http_connection, waiter);

	if (connection->dead)
		return;
	if (connection->state == HTTP_DECODES && connection->introduced)
		http_request_serve(connection);
	if (connection->unread && !connection->dead && !connection->waiter.list)
		read_input(connection);
	if (!connection->dead)
		advance(connection);
}

/* ---- What the output says ---- */

static struct http_connection *connection_of(struct output *output)
{
	return container_of(output, struct http_connection, output);
}

static void on_output_moved(struct output *output)
{
	struct http_connection *connection = connection_of(output);
	struct http_exchange *exchange = connection->exchange;

	if (!connection->dead && exchange && exchange->begun && output_is_low(output)) {
		http_ref(exchange);
		if (exchange->on_writable)
			exchange->on_writable(exchange);
		else
			http_calls_writable(exchange);
		http_unref(exchange);
	}
	if (!connection->dead)
		advance(connection);
}

static void on_output_failed(struct output *output)
{
	http_connection_kill(connection_of(output));
}

/* ---- Life ---- */

int http_connection_new(struct http *http, int fd, struct http_connection **ret_connection)
{
	struct http_connection *connection = calloc(1, sizeof(*connection));
	struct event_base *base = loop_base(http->options.loop);

	if (!connection)
		return -ENOMEM;
	connection->http = http;
	connection->fd = -1;
	connection->user = user_of(http->options.service->users, USER_UNKNOWN);
	connection->waiter.wake = on_wake;
	connection->go_on = advance;
	connection->output.user = connection->user;
	connection->output.moved = on_output_moved;
	connection->output.failed = on_output_failed;
	connection->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, connection);
	connection->late = event_new(base, -1, 0, on_late, connection);
	if (!connection->user || output_init(&connection->output, base, fd) < 0 ||
	    !connection->readable || !connection->late) {
		http_connection_free(connection);
		return -ENOMEM;
	}
	connection->fd = fd;
	http_connection_watch(connection);
	*ret_connection = connection;
	return 0;
}

struct http_connection *http_connection_free(struct http_connection *connection)
{
	struct http_exchange *exchange;

	if (!connection)
		return NULL;
	connection->dead = true;
	user_stop_waiting(&connection->waiter);
	exchange = connection->exchange;
	connection->exchange = NULL;
	if (exchange) {
		http_exchange_abandon(exchange);
		http_unref(exchange);
	}
	if (connection->readable)
		event_free(connection->readable);
	if (connection->late)
		event_free(connection->late);
	output_done(&connection->output);
	user_give_back(&connection->place);
	free(connection->in);
	if (connection->fd >= 0)
		close(connection->fd);
	free(connection);
	return NULL;
}
