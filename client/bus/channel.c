#include "client/bus/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/bus/follow.h"
#include "client/bus/json.h"
#include "client/bus/monitor.h"
#include "proto/generated/interface.h"
#include "proto/message.h"

#define MESSAGES_MAX 64 // unread ones, above which nothing is asked for

struct message {
	STAILQ_ENTRY(message) entry; // bus_channel::messages
	char *text;
	size_t size; // with its NUL
};

/* All but `connection` is under the link's lock. */
struct bus_channel {
	struct connection connection; // first
	struct bus_link *link;
	struct bus_user user;
	STAILQ_HEAD(, message) messages;
	unsigned n_messages;
	struct wire_call call;
	const struct method *method; // NULL: not known here
	bool begun;
	bool sent; // the first of what it is made of
	bool finished; // the last message was made
	bool lost; // nothing comes any more
	int reason; // as connection::reason
	char *cursor; // of the next page, to be asked for; or NULL
	struct bus_call *pending;
	struct bus_follow *follow;
	struct bus_monitor *monitor;
};

static struct bus_channel *channel_of(const struct connection *connection)
{
	return (struct bus_channel *) connection;
}

/* ---- Messages ---- */

static void lose(struct bus_channel *channel, int reason)
{
	if (channel->finished || channel->lost)
		return;
	channel->lost = true;
	channel->reason = reason;
	bus_user_wake(&channel->user);
}

/* Takes the text. */
static void push(struct bus_channel *channel, char *text, size_t size, bool continues)
{
	struct message *message = calloc(1, sizeof(*message));

	if (!message) {
		free(text);
		lose(channel, -ENOMEM);
		return;
	}
	message->text = text;
	message->size = size;
	STAILQ_INSERT_TAIL(&channel->messages, message, entry);
	channel->n_messages++;
	channel->finished = !continues;
	bus_user_wake(&channel->user);
}

static void push_reply(struct bus_channel *channel, json_object *parameters, bool continues)
{
	size_t size;
	char *text;
	int r;

	if (channel->finished || channel->lost)
		return;
	r = wire_reply_encode(parameters, continues, &text, &size);
	if (r < 0)
		lose(channel, r);
	else
		push(channel, text, size, continues);
}

static void push_error(struct bus_channel *channel, const struct fault *fault)
{
	size_t size;
	char *text;
	int r;

	if (channel->finished || channel->lost)
		return;
	r = wire_error_encode(fault, &text, &size);
	if (r < 0)
		lose(channel, r);
	else
		push(channel, text, size, /* continues= */ false);
}

/* A reply of one member. */
static void push_member(struct bus_channel *channel, const char *name, json_object *value,
			bool continues)
{
	json_object *parameters = json_object_new_object();

	if (!parameters || bus_json_add(parameters, name, json_object_get(value)) < 0)
		lose(channel, -ENOMEM);
	else
		push_reply(channel, parameters, continues);
	json_object_put(parameters);
}

static bool has_room(void *userdata)
{
	const struct bus_channel *channel = userdata;

	return channel->n_messages < MESSAGES_MAX;
}

static void on_failed(void *userdata, const struct bus_answer *answer)
{
	struct bus_channel *channel = userdata;

	switch (answer->kind) {
	case BUS_ANSWER_ERROR:
		push_error(channel, &answer->fault);
		break;
	case BUS_ANSWER_UNREACHABLE:
		lose(channel, -ECONNREFUSED);
		break;
	case BUS_ANSWER_BAD:
		lose(channel, -EPROTO);
		break;
	default:
		lose(channel, 0);
	}
}

/* ---- One reply, and pages ---- */

static void ask_for_page(struct bus_channel *channel);

static void on_reply(void *userdata, struct bus_answer *answer)
{
	struct bus_channel *channel = userdata;
	const char *cursor = "";

	channel->pending = NULL;
	if (answer->kind != BUS_ANSWER_REPLY) {
		on_failed(channel, answer);
		return;
	}
	if (channel->call.flags & WIRE_MORE && channel->method &&
	    channel->method->replies == METHOD_REPLIES_PAGES)
		cursor = bus_json_text(answer->parameters, "next_cursor");
	if (*cursor && !(channel->cursor = strdup(cursor)))
		lose(channel, -ENOMEM);
	push_reply(channel, answer->parameters, *cursor);
}

static int call(struct bus_channel *channel,
		void (*answered)(void *userdata, struct bus_answer *answer))
{
	const char *text = json_text(channel->call.parameters, NULL);

	if (!text)
		return -ENOMEM;
	return bus_link_call(channel->link, answered, channel, &channel->sent, channel->call.method,
			     text, &channel->pending);
}

static void ask_for_page(struct bus_channel *channel)
{
	json_object *cursor = json_object_new_string(channel->cursor);
	int r;

	free(channel->cursor);
	channel->cursor = NULL;
	json_object_object_del(channel->call.parameters, "cursor");
	r = bus_json_add(channel->call.parameters, "cursor", cursor);
	if (r == 0)
		r = call(channel, on_reply);
	if (r < 0)
		lose(channel, r == -ENOTCONN ? 0 : r);
}

/* ---- Tasks ---- */

static void on_event(void *userdata, json_object *event, bool terminal)
{
	struct bus_channel *channel = userdata;

	push_member(channel, "event", event, !terminal);
	if (terminal)
		channel->follow = bus_follow_free(channel->follow);
}

static void on_end(void *userdata, json_object *task, bool terminal)
{
	struct bus_channel *channel = userdata;

	push_member(channel, "task", task, !terminal);
	channel->follow = bus_follow_free(channel->follow);
}

static uint64_t interval_of(struct bus_channel *channel)
{
	json_object *seconds;

	if (!json_object_object_get_ex(channel->call.parameters, "min_interval_seconds", &seconds) ||
	    !seconds)
		return 500000;
	return (uint64_t) (json_object_get_double(seconds) * 1e6);
}

static int follow(struct bus_channel *channel, int64_t task_id, int64_t after_sequence)
{
	const struct bus_follow_options options = {
		.link = channel->link,
		.task_id = task_id,
		.after_sequence = after_sequence,
		.interval_usec = interval_of(channel),
		.mode = channel->call.flags & WIRE_MORE ? BUS_FOLLOW_EVENTS : BUS_FOLLOW_END,
		.sent = &channel->sent,
		.has_room = has_room,
		.event = on_event,
		.task_shown = on_end,
		.failed = on_failed,
		.userdata = channel,
	};

	return bus_follow_new(&options, &channel->follow);
}

/* The task is made; the front has detached it. */
static void on_submitted(void *userdata, struct bus_answer *answer)
{
	struct bus_channel *channel = userdata;
	int64_t id;
	int r;

	channel->pending = NULL;
	if (answer->kind != BUS_ANSWER_REPLY) {
		on_failed(channel, answer);
		return;
	}
	id = bus_json_int(json_object_object_get(answer->parameters, "task"), "id");
	r = id > 0 ? follow(channel, id, 0) : -EPROTO;
	if (r < 0)
		lose(channel, r == -ENOTCONN ? 0 : r);
}

static void on_monitored(void *userdata, json_object *reply)
{
	push_reply(userdata, reply, /* continues= */ true);
}

static int begin_monitor(struct bus_channel *channel, const struct ellu_monitor_request *request)
{
	const struct bus_monitor_options options = {
		.link = channel->link,
		.interval_usec = interval_of(channel),
		.sent = &channel->sent,
		.has_room = has_room,
		.reply = on_monitored,
		.failed = on_failed,
		.userdata = channel,
	};
	struct fault fault = { 0 };
	int r = bus_monitor_new(&options, request->cursor, &channel->monitor);

	if (r != -ESTALE)
		return r;
	fault_set(&fault, ELLU_E_UNSUPPORTED,
		  "Over D-Bus a monitor's cursor holds on its own connection alone.");
	push_error(channel, &fault);
	return 0;
}

/* ---- Beginning ---- */

static int begin_watch(struct bus_channel *channel, const struct ellu_watch_task_request *request)
{
	return follow(channel, request->id, request->after_sequence ? *request->after_sequence : -1);
}

/* What brings events. A request that the daemon never gets as it is, is checked here. */
static int begin_events(struct bus_channel *channel)
{
	json_object *parameters = channel->call.parameters;
	struct fault fault = { 0 };
	struct arena arena;
	void *request;
	int r = 0;

	if (bus_json_is_set(parameters, "cancel_on_disconnect")) {
		fault_set(&fault, ELLU_E_UNSUPPORTED,
			  "Over D-Bus a task cannot be bound to its caller: cancel_on_disconnect.");
		push_error(channel, &fault);
		return 0;
	}
	if (channel->method->id != METHOD_WATCH_TASK && channel->method->id != METHOD_MONITOR)
		return call(channel, on_submitted);
	arena_init(&arena);
	if (record_decode(channel->method->request, parameters, FROM_CLIENT, "", &arena, &request,
			  &fault) < 0)
		push_error(channel, &fault);
	else
		r = channel->method->id == METHOD_MONITOR ? begin_monitor(channel, request)
							  : begin_watch(channel, request);
	arena_done(&arena);
	return r;
}

static int begin(struct bus_channel *channel)
{
	struct connection *connection = &channel->connection;
	unsigned flags;
	struct fault fault;
	const char *text;

	if (wire_call_decode(connection->out, connection->out_size - 1, &channel->call, &fault) < 0)
		return fault.code == ELLU_E_INTERNAL ? -ENOMEM : -EINVAL;
	flags = channel->call.flags;
	channel->method = method_find(channel->call.method);
	if (flags & WIRE_ONEWAY) {
		text = json_text(channel->call.parameters, NULL);
		return text ? bus_link_tell(channel->link, &channel->sent, /* idle= */ false,
					    channel->call.method, text)
			    : -ENOMEM;
	}
	if (channel->method && channel->method->replies == METHOD_REPLIES_EVENTS &&
	    (channel->method->id != METHOD_MONITOR || flags & WIRE_MORE) &&
	    !bus_json_is_set(channel->call.parameters, "detach"))
		return begin_events(channel);
	return call(channel, on_reply);
}

/* ---- As a connection ---- */

static int channel_flush(struct connection *connection)
{
	struct bus_channel *channel = channel_of(connection);
	bool oneway;
	int r = 0;

	if (!connection->out || connection->cut)
		return 0;
	pthread_mutex_lock(&channel->link->lock);
	if (!channel->begun) {
		channel->begun = true;
		r = begin(channel);
		if (r == -ENOTCONN) {
			lose(channel, 0);
			r = 0;
		}
	}
	if (r == 0 && channel->link->epoll < 0)
		(void) bus_link_process(channel->link);
	oneway = channel->call.flags & WIRE_ONEWAY;
	/* What has ended without being sent was answered here. */
	if (channel->finished ||
	    (channel->sent && (!oneway || channel->lost || bus_link_is_flushed(channel->link)))) {
		free(connection->out);
		connection->out = NULL;
	} else if (channel->lost) {
		connection->cut = true;
	}
	pthread_mutex_unlock(&channel->link->lock);
	return r;
}

/* It was read: there is room for more. */
static void go_on(struct bus_channel *channel)
{
	if (channel->cursor)
		ask_for_page(channel);
	if (channel->follow)
		bus_follow_resume(channel->follow);
	if (channel->monitor)
		bus_monitor_resume(channel->monitor);
}

static int take_message(struct bus_channel *channel)
{
	struct message *message = STAILQ_FIRST(&channel->messages);
	size_t room_size;
	char *room;
	int r = frame_reserve(&channel->connection.in, message->size, &room, &room_size);

	if (r < 0)
		return r;
	memcpy(room, message->text, message->size);
	frame_commit(&channel->connection.in, message->size);
	STAILQ_REMOVE_HEAD(&channel->messages, entry);
	channel->n_messages--;
	free(message->text);
	free(message);
	if (channel->n_messages == 0)
		go_on(channel);
	return 1;
}

static void forget_wake(struct bus_channel *channel)
{
	uint64_t count;

	(void) !read(channel->user.wake_fd, &count, sizeof(count));
}

static int channel_fill(struct connection *connection)
{
	struct bus_channel *channel = channel_of(connection);
	struct bus_link *link = channel->link;
	int r = 0;

	if (connection->ended)
		return -ECONNRESET;
	pthread_mutex_lock(&link->lock);
	while (link->epoll < 0 && channel->n_messages == 0 && !channel->lost &&
	       bus_link_process(link) > 0)
		;
	if (channel->n_messages > 0) {
		r = take_message(channel);
	} else if (channel->lost) {
		connection->ended = true;
		connection->cut = !channel->sent;
		connection->reason = channel->reason;
		r = -ECONNRESET;
	}
	if (channel->n_messages == 0 && !channel->lost)
		forget_wake(channel);
	pthread_mutex_unlock(&link->lock);
	return r;
}

static short channel_events(const struct connection *connection)
{
	(void) connection;
	return POLLIN;
}

static int channel_wait(const struct connection *connection, long long timeout_usec)
{
	struct bus_channel *channel = channel_of(connection);

	return bus_link_wait(channel->link, &channel->user, timeout_usec);
}

static void stop(struct bus_channel *channel)
{
	bus_call_abandon(channel->pending);
	channel->pending = NULL;
	channel->follow = bus_follow_free(channel->follow);
	channel->monitor = channel->lost ? bus_monitor_park(channel->monitor)
					 : bus_monitor_free(channel->monitor);
	bus_link_forget(channel->link, &channel->sent); // a call without an answer
}

static void on_lost(struct bus_user *user, enum bus_loss loss)
{
	struct bus_channel *channel =
		(struct bus_channel *) ((char *) user - offsetof(struct bus_channel, user));

	if (loss == BUS_LOSS_DAEMON && !channel->follow && !channel->monitor)
		return;
	lose(channel, 0);
	stop(channel);
}

static void channel_close(struct connection *connection)
{
	struct bus_channel *channel = channel_of(connection);
	struct message *message;

	pthread_mutex_lock(&channel->link->lock);
	stop(channel);
	bus_link_leave(channel->link, &channel->user);
	pthread_mutex_unlock(&channel->link->lock);
	while ((message = STAILQ_FIRST(&channel->messages))) {
		STAILQ_REMOVE_HEAD(&channel->messages, entry);
		free(message->text);
		free(message);
	}
	wire_call_done(&channel->call);
	free(channel->cursor);
}

static const struct transport bus_transport = {
	.flush = channel_flush,
	.fill = channel_fill,
	.events = channel_events,
	.wait = channel_wait,
	.close = channel_close,
};

int bus_channel_open(struct bus_link *link, struct connection **ret)
{
	struct bus_channel *channel = calloc(1, sizeof(*channel));
	int r;

	if (!channel)
		return -ENOMEM;
	channel->connection.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (channel->connection.fd < 0) {
		r = -errno;
		free(channel);
		return r;
	}
	frame_init(&channel->connection.in);
	channel->connection.transport = &bus_transport;
	channel->link = link;
	channel->user = (struct bus_user){ .wake_fd = channel->connection.fd, .lost = on_lost };
	STAILQ_INIT(&channel->messages);
	pthread_mutex_lock(&link->lock);
	bus_link_join(link, &channel->user);
	r = bus_link_connect(link);
	pthread_mutex_unlock(&link->lock);
	if (r < 0)
		connection_close(&channel->connection);
	else
		*ret = &channel->connection;
	return r;
}
