#include "daemon/front/http/http_socket.h"

#include "daemon/front/http/http_state.h"

/* So long is read, and dropped, what a peer goes on sending. */
#define DRAIN_SECONDS 2

/* ---- Pieces that leave at the end of the turn ---- */

static void flush_soon(struct http_connection *connection)
{
	static const struct timeval at_once = { 0 };
	struct http *http = connection->http;

	if (connection->told_link)
		return;
	if (!http->told)
		(void)event_add(http->flusher, &at_once);
	connection->next_told = http->told;
	connection->told_link = &http->told;
	if (http->told)
		http->told->told_link = &connection->next_told;
	http->told = connection;
}

void http_flush_forget(struct http_connection *connection)
{
	if (!connection->told_link)
		return;
	*connection->told_link = connection->next_told;
	if (connection->next_told)
		connection->next_told->told_link = connection->told_link;
	connection->told_link = NULL;
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
	connection->http->n_connections--;
	connections_bury(&connection->http->connections, &connection->link);
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
	const struct http_limits *limits = &connection->http->options.limits;

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

void http_connection_watch_anew(struct http_connection *connection)
{
	(void)watch_time(connection, true);
}

void http_connection_watch(struct http_connection *connection)
{
	int r;

	if (connection->dead)
		return;
	r = wants_input(connection) ? event_add(connection->readable, NULL) :
				      event_del(connection->readable);
	if (watch_time(connection, false) < 0 ||
	    output_watch(&connection->output,
			 connection->http->options.limits.output_stall_seconds) < 0)
		r = -1;
	if (r < 0)
		http_connection_kill(connection);
}

/* ---- Output ---- */

void http_connection_send(struct http_connection *connection, struct reply *reply)
{
	bool was_empty = !output_size(&connection->output);

	if (connection->dead)
		return;
	if (output_send(&connection->output, reply) < 0)
		http_connection_kill(connection);
	else if (was_empty && output_size(&connection->output))
		http_connection_watch(connection);
}

void http_connection_tell(struct http_connection *connection, const void *data, size_t size)
{
	if (connection->dead)
		return;
	if (output_add(&connection->output, data, size) < 0)
		http_connection_kill(connection);
	else
		flush_soon(connection);
}
