/*
 * Who calls. dbus-daemon puts no credentials into messages, and asking for them with sd-bus's own
 * helper would wait; so they are asked for with a call of ours, once a unique name, and what the
 * caller sent meanwhile waits in order. A name is never used again, so what is known of it holds
 * until the bus says that it is gone.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/front/bus/bus_internal.h"

#define FIRST_BYTES_MAX 65536

#define VANISHED                                                          \
	"type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus'," \
	"member='NameOwnerChanged',arg2=''"

bool bus_peer_sees_all(const struct bus_peer *peer)
{
	return (peer->principal.scopes & PRINCIPAL_SEES_ALL) || peer->lifted;
}

bool bus_peer_may_see(const struct bus_peer *peer, int64_t owner_uid)
{
	return peer->known && (bus_peer_sees_all(peer) || peer->principal.uid == owner_uid);
}

/* A caller counts as a connection while it waits for an answer, or for signals that it asked for;
 * that it called once keeps no idle daemon up. */
static void update_held(struct bus_peer *peer)
{
	bool held = peer->n_requests > 0 || peer->stays;

	if (held == peer->held)
		return;
	peer->held = held;
	peer->bus->options.service->n_connections += held ? 1 : -1;
}

/* On a session's bus signals go to all. */
void bus_peer_subscribe(struct bus_peer *peer, bool subscribed, bool stays)
{
	peer->subscribed = subscribed && peer->bus->options.system;
	peer->stays = peer->subscribed && stays;
	update_held(peer);
}

/* ---- Requests ---- */

/* What the request takes is its user's; the sentence of a refusal is in the fault. The first small
 * one of a newcomer is taken whatever others have sent whose uid is not known yet. */
static bool charge(struct bus_request *request, int64_t bytes, struct fault *fault)
{
	struct bus_peer *peer = request->peer;
	struct user *user = peer->principal.user;
	enum user_slot slot = USER_REQUESTS;
	char numbers[256];

	if (user->uid == USER_UNKNOWN && peer->n_requests == 1 && bytes <= FIRST_BYTES_MAX) {
		user_hold(&request->calls, user, USER_REQUESTS, 1);
		user_hold(&request->input, user, USER_INPUT, bytes);
		return true;
	}
	if (user_take(&request->calls, user, USER_REQUESTS, 1)) {
		slot = USER_INPUT;
		/* A large message is alone of its kind, whatever it takes. */
		if (!user->held[USER_INPUT]) {
			user_hold(&request->input, user, USER_INPUT, bytes);
			return true;
		}
		if (user_take(&request->input, user, USER_INPUT, bytes))
			return true;
	}
	user_describe(user, slot, numbers, sizeof(numbers));
	fault_set(fault, ELLU_E_TOO_MANY_REQUESTS, "%s", numbers);
	fault->retry_after_seconds = 1;
	return false;
}

static int request_new(struct bus_peer *peer, sd_bus_message *message,
		       const struct bus_member *member, struct bus_request **ret_request)
{
	struct bus_request *request = calloc(1, sizeof(*request));

	if (!request)
		return -ENOMEM;
	request->peer = peer;
	request->message = sd_bus_message_ref(message);
	request->member = member;
	request->waiter.wake = bus_call_wake;
	request->link = peer->tail;
	*peer->tail = request;
	peer->tail = &request->next;
	peer->n_requests++;
	update_held(peer);
	*ret_request = request;
	return 0;
}

void bus_request_end(struct bus_request *request)
{
	struct bus_peer *peer = request->peer;

	*request->link = request->next;
	if (request->next)
		request->next->link = request->link;
	else
		peer->tail = request->link;
	peer->n_requests--;
	user_stop_waiting(&request->waiter);
	user_give_back(&request->calls);
	user_give_back(&request->input);
	bus_keep_until_sent(peer->bus, &request->expected);
	sd_bus_slot_unref(request->polkit);
	sd_bus_message_unref(request->message);
	bus_call_forget(request);
	call_unref(request->call);
	free(request);
	update_held(peer);
}

/* ---- Peers ---- */

static struct bus_peer *find_peer(struct bus *bus, const char *name)
{
	struct bus_peer *peer = bus->peers;

	while (peer && strcmp(peer->name, name) != 0)
		peer = peer->next;
	return peer;
}

static void drop_peer(struct bus_peer *peer)
{
	struct bus *bus = peer->bus;
	struct bus_peer **link = &bus->peers;

	while (peer->requests) {
		bus_call_abandon(peer->requests);
		bus_request_end(peer->requests);
	}
	user_stop_waiting(&peer->waiter);
	user_give_back(&peer->place);
	while (*link != peer)
		link = &(*link)->next;
	*link = peer->next;
	bus_peer_subscribe(peer, false, false);
	sd_bus_slot_unref(peer->asking);
	sd_bus_slot_unref(peer->polkit);
	free(peer->name);
	free(peer);
	if (!bus->peers)
		bus->vanished = sd_bus_slot_unref(bus->vanished);
}

void bus_peers_drop(struct bus *bus)
{
	while (bus->peers)
		drop_peer(bus->peers);
}

static int on_vanished(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const char *name;
	struct bus_peer *peer;

	(void)ret_error;
	if (sd_bus_message_read(message, "s", &name) < 0)
		return 0;
	peer = find_peer(userdata, name);
	if (peer)
		drop_peer(peer);
	return 0;
}

/* ---- Credentials ---- */

static void refuse_all(struct bus_peer *peer, const struct fault *fault)
{
	while (peer->requests)
		bus_call_fail(peer->requests, fault);
}

/* From now on its user pays for the request. */
static bool recharge(struct bus_request *request, struct fault *fault)
{
	int64_t bytes = request->input.amount;

	user_give_back(&request->calls);
	user_give_back(&request->input);
	return charge(request, bytes, fault);
}

void bus_peer_serve(struct bus_peer *peer)
{
	struct bus_request *request = peer->requests;

	peer->known = true;
	while (request) {
		struct bus_request *next = request->next; // the dispatch may end this one
		struct fault fault = { 0 };

		if (request->waiting) {
			request->waiting = false;
			if (recharge(request, &fault))
				bus_tree_dispatch(request);
			else
				bus_call_fail(request, &fault);
		}
		request = next;
	}
}

static void on_introduced(struct user_waiter *waiter)
{
	struct bus_peer *peer =
		(struct bus_peer *)((char *)waiter - offsetof(struct bus_peer, waiter));

	if (!bus_polkit_ask_peer(peer))
		bus_peer_serve(peer);
}

struct credentials {
	int64_t uid; // -1: not said
	const uint32_t *groups;
	size_t n_groups;
};

static int read_credential(sd_bus_message *message, struct credentials *credentials)
{
	const char *name, *contents;
	uint32_t uid;
	int r = sd_bus_message_read(message, "s", &name);

	if (r >= 0)
		r = sd_bus_message_peek_type(message, NULL, &contents);
	if (r < 0)
		return r;
	if (strcmp(name, "UnixUserID") == 0 && strcmp(contents, "u") == 0) {
		r = sd_bus_message_read(message, "v", "u", &uid);
		credentials->uid = uid;
		return r;
	}
	if (strcmp(name, "UnixGroupIDs") != 0 || strcmp(contents, "au") != 0)
		return sd_bus_message_skip(message, "v");
	r = sd_bus_message_enter_container(message, 'v', "au");
	if (r >= 0)
		r = sd_bus_message_read_array(message, 'u', (const void **)&credentials->groups,
					      &credentials->n_groups);
	credentials->n_groups /= sizeof(uint32_t);
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int read_credentials(sd_bus_message *message, struct credentials *credentials)
{
	int r;

	*credentials = (struct credentials){ .uid = -1 };
	if (sd_bus_message_is_method_error(message, NULL))
		return -ESRCH;
	r = sd_bus_message_enter_container(message, 'a', "{sv}");
	while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		r = read_credential(message, credentials);
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
	}
	return r < 0 ? r : credentials->uid < 0 ? -ENODATA : 0;
}

static int on_credentials(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct bus_peer *peer = userdata;
	struct users *users = peer->bus->options.service->users;
	struct credentials credentials;
	struct user *user = NULL;
	struct fault fault = { 0 };
	char numbers[256];

	(void)ret_error;
	peer->asking = sd_bus_slot_unref(peer->asking);
	if (read_credentials(message, &credentials) < 0) {
		fault_set(&fault, ELLU_E_UNAUTHENTICATED, NULL);
	} else if (!(user = user_of(users, credentials.uid))) {
		fault_oom(&fault);
	} else if (!user_take(&peer->place, user, USER_CONNECTIONS, 1)) {
		user_describe(user, USER_CONNECTIONS, numbers, sizeof(numbers));
		fault_set(&fault, ELLU_E_TOO_MANY_REQUESTS, "%s", numbers);
		fault.retry_after_seconds = 1;
	}
	if (fault.code) {
		refuse_all(peer, &fault);
		drop_peer(peer);
		return 1;
	}
	peer->principal = (struct principal){
		.user = user,
		.uid = credentials.uid,
		.scopes = principal_scopes(&peer->bus->options.rules, credentials.uid,
					   credentials.groups, credentials.n_groups),
		.way = PRINCIPAL_BUS,
	};
	user_introduce(user, &peer->waiter);
	return 1;
}

static int peer_new(struct bus *bus, const char *name, struct bus_peer **ret_peer)
{
	struct bus_peer *peer = calloc(1, sizeof(*peer));
	struct user *unknown = user_of(bus->options.service->users, USER_UNKNOWN);
	int r = 0;

	if (!peer || !unknown || !(peer->name = strdup(name))) {
		free(peer);
		return -ENOMEM;
	}
	peer->bus = bus;
	peer->principal = (struct principal){ .user = unknown, .uid = USER_UNKNOWN };
	peer->waiter.wake = on_introduced;
	peer->tail = &peer->requests;
	peer->next = bus->peers;
	bus->peers = peer;
	if (!bus->vanished)
		r = sd_bus_add_match_async(bus->bus, &bus->vanished, VANISHED, on_vanished, NULL,
					   bus);
	if (r >= 0)
		r = sd_bus_call_method_async(bus->bus, &peer->asking, "org.freedesktop.DBus",
					     "/org/freedesktop/DBus", "org.freedesktop.DBus",
					     "GetConnectionCredentials", on_credentials, peer, "s",
					     name);
	if (r < 0) {
		drop_peer(peer);
		return r;
	}
	*ret_peer = peer;
	return 0;
}

static int refuse(sd_bus_message *message, const struct fault *fault)
{
	const struct error_info *info = error_find(fault->code);

	return sd_bus_reply_method_errorf(message, info ? info->dbus_name : SD_BUS_ERROR_FAILED,
					  "%s", fault->message);
}

static int take(struct bus *bus, sd_bus_message *message, const struct bus_member *member,
		int64_t bytes)
{
	const char *name = sd_bus_message_get_sender(message);
	struct bus_peer *peer = find_peer(bus, name);
	struct bus_request *request;
	struct fault fault = { 0 };
	int r = peer ? 0 : peer_new(bus, name, &peer);

	if (r < 0)
		return r;
	if (peer->n_requests >= BUS_REQUESTS_MAX)
		return sd_bus_reply_method_errorf(message, SD_BUS_ERROR_LIMITS_EXCEEDED,
						  "%d calls are under way already",
						  BUS_REQUESTS_MAX);
	r = request_new(peer, message, member, &request);
	if (r < 0)
		return r;
	if (!charge(request, bytes, &fault)) {
		bus_call_fail(request, &fault);
		return 1;
	}
	if (peer->stale && !peer->polkit)
		(void)bus_polkit_ask_peer(peer);
	request->waiting = !peer->known || peer->polkit;
	if (!request->waiting)
		bus_tree_dispatch(request);
	return 1;
}

/* What does not fit the interface is answered at once, and nothing of it is kept. */
int bus_peer_take(struct bus *bus, sd_bus_message *message)
{
	const struct bus_member *member;
	const char *error, *text;
	struct fault fault = { 0 };
	int64_t bytes = 0;
	uint8_t type;

	if (!sd_bus_message_get_sender(message) || sd_bus_message_get_type(message, &type) < 0 ||
	    type != SD_BUS_MESSAGE_METHOD_CALL)
		return 0;
	member = bus_tree_find(message, &error, &text);
	if (!member)
		return sd_bus_reply_method_errorf(message, error, "%s", text);
	if (bus_measure(message, &bytes, &fault) < 0)
		return refuse(message, &fault);
	return take(bus, message, member, bytes);
}
