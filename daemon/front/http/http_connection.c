#include "daemon/front/http/http_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "proto/generated/interface.h"

#define READ_LARGE 65536
/* What is read of a refused body, and for how long, so that the answer is not lost in a reset. */
#define DRAIN_MAX (1024 * 1024)
#define DRAIN_SECONDS 2

static void update_events(struct http_connection *connection);

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
	http_touch(connection);
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

/* ---- Events ---- */

void http_connection_kill(struct http_connection *connection)
{
	if (connection->dead)
		return;
	connection->dead = connection->output.stopped = true;
	user_stop_waiting(&connection->waiter);
	user_give_back(&connection->place);
	http_flush_forget(connection);
	http_reap_soon(connection);
}

static bool wants_input(const struct http_connection *connection)
{
	if (connection->input_ended || connection->unread)
		return false;
	switch (connection->state) {
	case HTTP_WAITS:
	case HTTP_READS:
		return !connection->closing && !connection->waiter.list && !output_size(&connection->output);
	case HTTP_DRAINS:
		return true;
	default:
		return connection->in_size < HTTP_AHEAD;
	}
}

/* How long the peer may take for what it is at; 0: it is not at anything. */
static int64_t time_of(const struct http_connection *connection)
{
	const struct http_limits *limits = http_get_limits(connection->http);

	switch (connection->state) {
	case HTTP_WAITS:
		/* The answer before is still taken. */
		if (output_size(&connection->output))
			return 0;
		return connection->in_size ? limits->message_seconds : limits->idle_seconds;
	case HTTP_READS:
		return limits->message_seconds;
	case HTTP_DRAINS:
		return DRAIN_SECONDS;
	default:
		return 0;
	}
}

/* The clock of a request goes on from its first byte to its last. */
static int watch_time(struct http_connection *connection, bool anew)
{
	const struct timeval time = { .tv_sec = time_of(connection) };

	if (!time.tv_sec)
		return event_del(connection->late);
	if (!anew && event_pending(connection->late, EV_TIMEOUT, NULL))
		return 0;
	return event_add(connection->late, &time);
}

static void update_events(struct http_connection *connection)
{
	int r;

	if (connection->dead)
		return;
	r = wants_input(connection) ? event_add(connection->readable, NULL) :
				      event_del(connection->readable);
	if (watch_time(connection, false) < 0 ||
	    output_watch(&connection->output,
			 http_get_limits(connection->http)->output_stall_seconds) < 0)
		r = -1;
	if (r < 0)
		http_connection_kill(connection);
}

void http_connection_send(struct http_connection *connection, struct reply *reply)
{
	bool was_empty = !output_size(&connection->output);

	if (connection->dead)
		return;
	if (output_send(&connection->output, reply) < 0)
		http_connection_kill(connection);
	else if (was_empty && output_size(&connection->output))
		update_events(connection);
}

void http_connection_tell(struct http_connection *connection, const void *data, size_t size)
{
	if (connection->dead)
		return;
	if (output_add(&connection->output, data, size) < 0)
		http_connection_kill(connection);
	else
		http_flush_soon(connection);
}

bool http_connection_keeps(const struct http_connection *connection)
{
	return connection->exchange->head.keeps && !http_service(connection->http)->stopping &&
	       connection->state != HTTP_READS && connection->state != HTTP_WAITS;
}

void http_connection_answered(struct http_connection *connection)
{
	struct http_exchange *exchange = connection->exchange;

	connection->closing = connection->closing || !http_connection_keeps(connection);
	connection->exchange = NULL;
	connection->introduced = false;
	connection->state = HTTP_WAITS;
	exchange->connection = NULL;
	token_let_go(&exchange->token);
	http_unref(exchange);
	if (connection->dead)
		return;
	(void)watch_time(connection, true);
	if (!connection->advancing)
		http_connection_advance(connection);
}

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
	(void)watch_time(connection, true);
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

void http_connection_advance(struct http_connection *connection)
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
	update_events(connection);
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
		(void)watch_time(connection, true);
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
		update_events(connection);
		return;
	}
	user_begin_work(user);
	read_input(connection);
	if (!connection->dead)
		http_connection_advance(connection);
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
	http_connection_advance(connection);
}

/* Its user's turn has come, or the store knows him. */
static void on_wake(struct user_waiter *waiter)
{
	struct http_connection *connection =
		(struct http_connection *)((char *)waiter - offsetof(struct http_connection, waiter));

	if (connection->dead)
		return;
	if (connection->state == HTTP_DECODES && connection->introduced)
		http_request_serve(connection);
	if (connection->unread && !connection->dead && !connection->waiter.list)
		read_input(connection);
	if (!connection->dead)
		http_connection_advance(connection);
}

/* ---- What the output says ---- */

static struct http_connection *connection_of(struct output *output)
{
	return (struct http_connection *)((char *)output - offsetof(struct http_connection, output));
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
		http_connection_advance(connection);
}

static void on_output_failed(struct output *output, int error)
{
	struct http_connection *connection = connection_of(output);

	if (!error)
		log_about(LOG_NOTICE, ABOUT(.message = LOG_CLIENT_DROPPED),
			  "a client of user %lld took nothing for %lld seconds: dropped",
			  (long long)connection->user->uid,
			  (long long)http_get_limits(connection->http)->output_stall_seconds);
	http_connection_kill(connection);
}

/* ---- Life ---- */

int http_connection_new(struct http *http, int fd, struct http_connection **ret_connection)
{
	struct http_connection *connection = calloc(1, sizeof(*connection));
	struct event_base *base = loop_base(http_loop(http));

	if (!connection)
		return -ENOMEM;
	connection->http = http;
	connection->fd = -1;
	connection->user = user_of(http_service(http)->users, USER_UNKNOWN);
	connection->waiter.wake = on_wake;
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
	update_events(connection);
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
