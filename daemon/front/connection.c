#include "daemon/front/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/api/methods.h"
#include "daemon/base/container_of.h"

#define READ_SIZE 8192
/* Of a message that is larger; what is read at a time takes no more than a turn, new pages included. */
#define READ_LARGE_SIZE 16384

/* A message in the decoder's hands. It outlives its connection. */
struct connection_decoding {
	struct decoding decoding;
	struct connection *connection; // NULL: gone, and what it had is here
	const char *text; // borrowed
	size_t size;
	struct decoded decoded;
	struct frame_buffer in;
	struct user_charge input;
};

static void advance(struct connection *connection);

static struct service *service_of(const struct connection *connection)
{
	return connection->front->options.service;
}

/* ---- Calls ---- */

/* The call under way has been answered. */
static void call_ended(struct connection *connection)
{
	struct call *call = connection->call;

	if (!call)
		return;
	connection->call = NULL;
	user_give_back(&connection->calls);
	user_give_back(&connection->expected);
	/* What the call waited for is of no use any more. */
	user_stop_waiting(&connection->waiter);
	if (connection->unread && !connection->dead)
		user_wait_for_turn(connection->principal.user, &connection->waiter);
	call->front = NULL;
	call_unref(call);
	if (!connection->advancing && !connection->dead)
		advance(connection);
}

static int on_send(struct call *call, struct answer *answer, bool continues)
{
	struct connection *connection = call->front_data;
	struct reply *reply = NULL;
	int r = connection->oneway ? 0 : varlink_make_reply(answer, continues, call->service->behind, &reply);

	if (r < 0)
		return r;
	if (reply)
		connection_send(connection, reply);
	reply_unref(reply);
	if (continues)
		return connection_has_room(connection);
	call_ended(connection);
	return true;
}

static void on_fail(struct call *call, const struct fault *fault)
{
	struct connection *connection = call->front_data;

	varlink_fail(connection, fault);
	call_ended(connection);
}

static const struct call_front connection_front = { .send = on_send, .fail = on_fail };

/* Takes the request. */
static void begin_call(struct connection *connection, struct decoded *decoded)
{
	struct user *user = connection->principal.user;
	struct call *call = call_new(service_of(connection));

	if (!call) {
		connection_kill(connection);
		return;
	}
	call->method = decoded->method;
	call->principal = connection->principal;
	call->more = decoded->flags & WIRE_MORE;
	call->arena = arena_take(&decoded->arena);
	call->request = decoded->request;
	call->digest = decoded->digest;
	call->front = &connection_front;
	call->front_data = connection;
	user_move(&connection->input, &call->input);
	connection->call = call;
	if (user_take(&connection->calls, user, USER_REQUESTS, 1))
		call_dispatch(call);
	else
		call_fail_limit(call, USER_REQUESTS);
}

/* Takes what was decoded. */
static void serve(struct connection *connection, struct decoded *decoded)
{
	if (connection->call || !connection_expect_reply(connection, decoded->method, REPLY_BEGINS)) {
		connection->held = malloc(sizeof(*decoded));
		if (connection->held) {
			*connection->held = *decoded;
			return;
		}
		connection_kill(connection);
	} else if (!varlink_serve(connection, decoded)) {
		begin_call(connection, decoded);
	}
	decoded_done(decoded);
	if (!connection->call)
		user_give_back(&connection->expected);
}

/* What was held back, once nothing is in its way. */
static void serve_held(struct connection *connection)
{
	struct decoded held;

	if (!connection->held || connection->call || connection->waiter.list || connection->dead)
		return;
	held = *connection->held;
	free(connection->held);
	connection->held = NULL;
	serve(connection, &held);
}

/* Thousands of idle connections keep no buffers. */
static void drop_input(const struct service *service, struct frame_buffer *in)
{
	loop_free_there(service->behind, in->data, in->size);
	frame_init(in);
}

static void decode(struct decoding *base)
{
	struct connection_decoding *decoding = (struct connection_decoding *)base;

	decode_large_call(decoding->text, decoding->size, &decoding->decoded);
}

static void on_decoded(struct decoding *base)
{
	struct connection_decoding *decoding = (struct connection_decoding *)base;
	struct connection *connection = decoding->connection;

	if (connection && !connection->dead) {
		connection->decoding = NULL;
		user_worked_elsewhere(connection->principal.user, base->took_usec);
		serve(connection, &decoding->decoded);
		advance(connection);
	} else {
		if (connection)
			connection->decoding = NULL;
		decoded_done(&decoding->decoded);
	}
	drop_input(base->service, &decoding->in);
	user_give_back(&decoding->input);
	free(decoding);
}

static void decode_elsewhere(struct connection *connection, const char *text, size_t size)
{
	struct connection_decoding *decoding = calloc(1, sizeof(*decoding));

	if (!decoding) {
		connection_kill(connection);
		return;
	}
	decoding->connection = connection;
	frame_init(&decoding->in);
	decoding->text = text;
	decoding->size = size;
	decoding->decoding.decode = decode;
	decoding->decoding.done = on_decoded;
	connection->decoding = decoding;
	decoder_post(service_of(connection), &decoding->decoding);
}

static void take_message(struct connection *connection, const char *text, size_t size)
{
	struct decoded decoded;

	connections_touch(&connection->front->connections, &connection->link);
	if (size >= INPUT_FREE && connection->input.slot != USER_LARGE_MESSAGES)
		user_hold(&connection->input, connection->principal.user, USER_INPUT,
			  (int64_t)size);
	if (size > DECODE_HERE_MAX) {
		decode_elsewhere(connection, text, size);
		return;
	}
	decode_call(text, size, &decoded);
	serve(connection, &decoded);
}

static void refuse_and_close(struct connection *connection, const struct fault *fault)
{
	connection->oneway = false;
	varlink_fail(connection, fault);
	connection->closing = true;
}

static bool may_begin(const struct connection *connection)
{
	return !connection->decoding && !connection->held && !connection->closing &&
	       !connection->waiter.list && !connection->dead &&
	       (connection->call ? connection_looks_ahead(connection) : output_is_low(&connection->output));
}

/* Begins the next call that waits. 0: there is none. */
static int begin_next(struct connection *connection)
{
	struct user *user = connection->principal.user;
	struct fault fault = { 0 };
	char *message;
	size_t size;
	int r;

	if (!frame_pending(&connection->in)) {
		drop_input(service_of(connection), &connection->in);
		return 0;
	}
	if (!user_has_turn(user)) {
		user_wait_for_turn(user, &connection->waiter);
		return 1;
	}
	user_begin_work(user);
	r = frame_next(&connection->in, &message, &size);
	if (r > 0) {
		take_message(connection, message, size);
	} else if (r < 0) {
		fault_message(&fault, MESSAGE_SIZE_MAX, "a message is at most %u bytes",
			      MESSAGE_SIZE_MAX);
		refuse_and_close(connection, &fault);
	}
	user_end_work(user);
	return r;
}

/* Begins the calls that wait, as far as there is room for what they take. */
static void advance(struct connection *connection)
{
	int r = 1;

	connection->advancing = true;
	serve_held(connection);
	while (r > 0 && may_begin(connection))
		r = begin_next(connection);
	connection->advancing = false;
	if (connection->input_ended && !connection->call && r == 0)
		connection->closing = true;
	if (connection->closing && !output_size(&connection->output))
		connection_kill(connection);
	if (!frame_pending(&connection->in) && !connection->dead && !connection->decoding)
		drop_input(service_of(connection), &connection->in);
	if (!connection->decoding && !connection->held &&
	    frame_pending(&connection->in) < INPUT_FREE)
		user_give_back(&connection->input);
	connection_watch(connection);
}

/* ---- Input ---- */

/* Whose caller is gone is told so; a call that follows a task would otherwise never end. */
static void end_of_input(struct connection *connection)
{
	struct call *call = connection->call;

	connection->input_ended = true;
	if (!call || call->method->replies != METHOD_REPLIES_EVENTS)
		return;
	connection->call = NULL;
	user_give_back(&connection->calls);
	user_give_back(&connection->expected);
	call_abandon(call);
	call_unref(call);
}

void connection_take_back(struct connection *connection)
{
	connection->principal.scopes &= ~connection->lent;
	connection->lent = 0;
	end_of_input(connection);
	advance(connection);
}

/* Whether the message that has begun may grow. */
static bool has_input_room(struct connection *connection)
{
	struct user *user = connection->principal.user;
	size_t pending = frame_pending(&connection->in);
	struct user_charge *input = &connection->input, large = { 0 };
	enum user_slot slot = USER_INPUT;

	if (pending < INPUT_FREE ||
	    (input->amount && input->slot == USER_LARGE_MESSAGES))
		return true;
	if (pending < INPUT_MEDIUM) {
		if (user_take(input, user, USER_INPUT, INPUT_MEDIUM))
			return true;
	} else {
		slot = USER_LARGE_MESSAGES;
		if (user_take(&large, user, slot, 1)) {
			user_move(&large, input);
			return true;
		}
	}
	user_wait_for_slot(user, slot, &connection->waiter);
	return false;
}

static void read_input(struct connection *connection)
{
	size_t room, want = frame_pending(&connection->in) < INPUT_FREE ? READ_SIZE :
									   READ_LARGE_SIZE;
	char *data;
	ssize_t n;

	connection->unread = !has_input_room(connection);
	if (connection->unread)
		return;
	if (frame_reserve(&connection->in, want, &data, &room) < 0) {
		connection_kill(connection);
		return;
	}
	n = recv(connection->fd, data, room < want ? room : want, MSG_DONTWAIT);
	if (n == 0) {
		end_of_input(connection);
	} else if (n > 0) {
		frame_commit(&connection->in, (size_t)n);
		user_give_back(&connection->unused);
	} else if (errno != EAGAIN && errno != EINTR) {
		connection_kill(connection);
	}
}

static void on_readable(evutil_socket_t fd, short events, void *userdata)
{
	struct connection *connection = userdata;
	struct user *user = connection->principal.user;

	(void)fd;
	(void)events;
	if (!user_take_turn(user, &connection->waiter)) {
		connection->unread = true;
		connection_watch(connection);
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
	struct connection *connection = userdata;
	struct fault fault = { 0 };

	(void)fd;
	(void)events;
	fault_set(&fault, ELLU_E_TIMEOUT, "a message must have ended %lld seconds after it began",
		  (long long)connection->front->options.message_seconds);
	refuse_and_close(connection, &fault);
	advance(connection);
}

/* There is something of what it was short of, or its user's turn has come. */
static void on_wake(struct user_waiter *waiter)
{
	struct connection *connection = container_of(waiter, struct connection, waiter);

	if (connection->dead)
		return;
	connection->started = true;
	if (connection->held && !connection->call)
		serve_held(connection);
	else if (connection->call && connection_has_room(connection))
		call_writable(connection->call);
	if (connection->unread && !connection->dead && !connection->waiter.list)
		read_input(connection);
	if (!connection->dead)
		advance(connection);
}

/* ---- What the output says ---- */

static struct connection *connection_of(struct output *output)
{
	return container_of(output, struct connection, output);
}

static void on_output_moved(struct output *output)
{
	struct connection *connection = connection_of(output);

	if (!connection->dead && connection->call && connection_has_room(connection))
		call_writable(connection->call);
	if (!connection->dead)
		advance(connection);
}

static void on_output_failed(struct output *output)
{
	connection_kill(connection_of(output));
}

/* ---- Life ---- */

int connection_new(struct front *front, const struct principal *principal, int fd,
		   struct connection **ret_connection)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	struct event_base *base = loop_base(front->options.loop);

	if (!connection)
		return -ENOMEM;
	connection->front = front;
	connection->principal = *principal;
	connection->waiter.wake = on_wake;
	connection->output.user = principal->user;
	connection->output.moved = on_output_moved;
	connection->output.failed = on_output_failed;
	connection->fd = -1;
	connection->unread = true; // who sends, or goes, at once is not waited for
	frame_init(&connection->in);
	connection->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, connection);
	connection->late = event_new(base, -1, 0, on_late, connection);
	if (output_init(&connection->output, base, fd) < 0 || !connection->readable ||
	    !connection->late) {
		connection_free(connection);
		return -ENOMEM;
	}
	connection->fd = fd;
	*ret_connection = connection;
	return 0;
}

/* What the decoder is at stays until it is done. */
static void leave_decoder(struct connection *connection)
{
	struct connection_decoding *decoding = connection->decoding;

	if (!decoding)
		return;
	decoding->connection = NULL;
	decoding->in = connection->in;
	frame_init(&connection->in);
	user_move(&connection->input, &decoding->input);
}

static void give_all_back(struct connection *connection)
{
	user_give_back(&connection->place);
	user_give_back(&connection->calls);
	user_give_back(&connection->input);
	user_give_back(&connection->expected);
	user_give_back(&connection->unused);
}

struct connection *connection_free(struct connection *connection)
{
	if (!connection)
		return NULL;
	connection->dead = true;
	user_stop_waiting(&connection->waiter);
	if (connection->call) {
		struct call *call = connection->call;

		connection->call = NULL;
		call_abandon(call);
		call_unref(call);
	}
	leave_decoder(connection);
	if (connection->held)
		decoded_done(connection->held);
	free(connection->held);
	if (connection->readable)
		event_free(connection->readable);
	if (connection->late)
		event_free(connection->late);
	output_done(&connection->output);
	drop_input(service_of(connection), &connection->in);
	give_all_back(connection);
	if (connection->fd >= 0)
		close(connection->fd);
	free(connection);
	return NULL;
}
