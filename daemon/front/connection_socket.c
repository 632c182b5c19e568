/* When a connection is read, what is sent over it and how long a peer may take, and its end. */
#include "daemon/front/connection.h"

/* ---- Room for output ---- */

bool connection_expect_reply(struct connection *connection, const struct method *method,
			     enum reply_stage stage)
{
	return reply_expect(&connection->expected, connection->principal.user, method, stage,
			    &connection->waiter);
}

bool connection_has_room(struct connection *connection)
{
	bool has_unsent = output_size(&connection->output) > 0;

	/* The page has come; the next one is asked for anew, and so is an event for a slow reader. */
	if (connection->call &&
	    (connection->call->method->replies == METHOD_REPLIES_PAGES ||
	     (connection->call->method->replies == METHOD_REPLIES_EVENTS && has_unsent)))
		user_give_back(&connection->expected);
	return !connection->dead && output_is_low(&connection->output) && connection->call &&
	       connection_expect_reply(connection, connection->call->method,
				       has_unsent ? REPLY_LAGS : REPLY_GOES_ON);
}

/* ---- Events ---- */

void connection_kill(struct connection *connection)
{
	if (connection->dead)
		return;
	connection->dead = connection->output.stopped = true;
	user_give_back(&connection->place);
	connections_bury(&connection->front->connections, &connection->link);
}

/* Behind a call that ends soon the next one is read as a whole, and decoded, meanwhile. What is small
 * waits as it came, so that an end of input is seen; and so does what is too large, for its turn to be
 * refused. */
bool connection_looks_ahead(const struct connection *connection)
{
	size_t pending = frame_pending(&connection->in);

	return connection->call && connection->call->method->replies == METHOD_REPLIES_ONE &&
	       pending >= INPUT_FREE && pending <= MESSAGE_SIZE_MAX;
}

static bool wants_input(const struct connection *connection)
{
	if (!connection->started || connection->input_ended || connection->closing ||
	    connection->unread || connection->decoding || connection->held)
		return false;
	if (connection->call)
		return frame_pending(&connection->in) < INPUT_FREE || connection_looks_ahead(connection);
	return output_is_low(&connection->output) && !connection->waiter.list;
}

/* A message that has begun must end in time. What it waits for a slot is left out; the turns that
 * its user waits for are not, or each byte could begin the time anew. */
static int watch_message(struct connection *connection, bool reads)
{
	const struct timeval time = { .tv_sec = connection->front->options.message_seconds };
	bool waits_for_turn = connection->waiter.list == &connection->principal.user->turn;

	if (connection->call || connection->decoding || connection->held ||
	    !frame_pending(&connection->in) || (!reads && !waits_for_turn))
		return event_del(connection->late);
	return event_pending(connection->late, EV_TIMEOUT, NULL) ?
		       0 :
		       event_add(connection->late, &time);
}

void connection_watch(struct connection *connection)
{
	bool reads = wants_input(connection);
	int r;

	if (connection->dead)
		return;
	r = reads ? event_add(connection->readable, NULL) : event_del(connection->readable);
	if (watch_message(connection, reads) < 0 ||
	    output_watch(&connection->output,
			 connection->front->options.output_stall_seconds) < 0)
		r = -1;
	if (r < 0)
		connection_kill(connection);
}

/* ---- Output ---- */

void connection_send(struct connection *connection, struct reply *reply)
{
	bool was_empty = !output_size(&connection->output);

	if (connection->dead || connection->closing)
		return;
	if (output_send(&connection->output, reply) < 0)
		connection_kill(connection); // half a message is nothing to go on from
	else if (was_empty && output_size(&connection->output))
		connection_watch(connection);
}

void connection_send_text(struct connection *connection, char *text, size_t size)
{
	struct reply *reply = reply_new(text, size, /* behind= */ NULL);

	if (reply)
		connection_send(connection, reply);
	else
		connection_kill(connection);
	reply_unref(reply);
}
