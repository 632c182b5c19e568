/*
 * Who calls. dbus-daemon puts no credentials into messages, and asking for them with sd-bus's own
 * helper would wait; so they are asked for with a call of ours, once a unique name, and what the
 * caller sent meanwhile waits in order. A name is never used again, so what is known of it holds
 * until the bus says that it is gone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/bus_internal.h"
#include "daemon/log.h"

#define VANISHED                                                          \
	"type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus'," \
	"member='NameOwnerChanged',arg2=''"

/* A caller's user is made known to the store. */
struct introduction {
	struct user_ensure op;
	struct service *service;
	struct bus_peer *peer; // NULL: gone meanwhile
};

bool bus_peer_sees_all(const struct bus_peer *peer)
{
	return peer->identity.all || peer->lifted;
}

bool bus_peer_may_see(const struct bus_peer *peer, int64_t owner_uid)
{
	return peer->known && (bus_peer_sees_all(peer) || peer->identity.uid == owner_uid);
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

static int request_new(struct bus_peer *peer, sd_bus_message *message,
		       struct bus_request **ret_request)
{
	struct bus_request *request = calloc(1, sizeof(*request));

	if (!request)
		return -ENOMEM;
	request->peer = peer;
	request->message = sd_bus_message_ref(message);
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
	sd_bus_slot_unref(request->polkit);
	sd_bus_message_unref(request->message);
	json_object_put(request->parameters);
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
	if (peer->introduction)
		peer->introduction->peer = NULL;
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

static void refuse_all(struct bus_peer *peer)
{
	struct fault fault = { 0 };

	fault_set(&fault, ELLU_E_UNAUTHENTICATED, NULL);
	while (peer->requests)
		bus_call_fail(peer->requests, &fault);
}

void bus_peer_serve(struct bus_peer *peer)
{
	struct bus_request *request = peer->requests;

	peer->known = true;
	while (request) {
		struct bus_request *next = request->next; // the dispatch may end this one

		if (request->waiting) {
			request->waiting = false;
			bus_tree_dispatch(request);
		}
		request = next;
	}
}

static void on_introduced(struct store_request *store_request)
{
	struct introduction *introduction = store_request->userdata;
	struct bus_peer *peer = introduction->peer;

	introduction->service->n_under_way--;
	if (store_request->result < 0)
		log_error("user %lld cannot be added: %s", (long long)introduction->op.uid,
			  store_request->fault.message);
	/* Even so calls are served: each says itself what the store cannot do. */
	if (peer) {
		peer->introduction = NULL;
		if (!bus_polkit_ask_peer(peer))
			bus_peer_serve(peer);
	}
	store_request_done(store_request);
	free(introduction);
}

static int introduce(struct bus_peer *peer)
{
	struct service *service = peer->bus->options.service;
	struct introduction *introduction = calloc(1, sizeof(*introduction));

	if (!introduction)
		return -ENOMEM;
	introduction->service = service;
	introduction->peer = peer;
	introduction->op.uid = peer->identity.uid;
	peer->introduction = introduction;
	service->n_under_way++;
	store_request_init(&introduction->op.request, service->loop, on_introduced, introduction);
	store_user_ensure(service->store, &introduction->op);
	return 0;
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
	struct credentials credentials;

	(void)ret_error;
	peer->asking = sd_bus_slot_unref(peer->asking);
	if (read_credentials(message, &credentials) < 0) {
		refuse_all(peer);
		drop_peer(peer);
		return 1;
	}
	peer->identity = identity_of(&peer->bus->options.rules, credentials.uid, credentials.groups,
				     credentials.n_groups);
	if (introduce(peer) < 0) {
		refuse_all(peer);
		drop_peer(peer);
	}
	return 1;
}

static int peer_new(struct bus *bus, const char *name, struct bus_peer **ret_peer)
{
	struct bus_peer *peer = calloc(1, sizeof(*peer));
	int r = 0;

	if (!peer || !(peer->name = strdup(name))) {
		free(peer);
		return -ENOMEM;
	}
	peer->bus = bus;
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

int bus_peer_take(struct bus *bus, sd_bus_message *message)
{
	const char *name = sd_bus_message_get_sender(message);
	struct bus_request *request;
	struct bus_peer *peer;
	uint8_t type;
	int r;

	if (!name || sd_bus_message_get_type(message, &type) < 0 ||
	    type != SD_BUS_MESSAGE_METHOD_CALL)
		return 0;
	peer = find_peer(bus, name);
	if (!peer) {
		r = peer_new(bus, name, &peer);
		if (r < 0)
			return r;
	}
	if (peer->n_requests >= BUS_REQUESTS_MAX)
		return sd_bus_reply_method_errorf(message, SD_BUS_ERROR_LIMITS_EXCEEDED,
						  "%d calls are under way already",
						  BUS_REQUESTS_MAX);
	r = request_new(peer, message, &request);
	if (r < 0)
		return r;
	if (peer->stale && !peer->polkit)
		(void)bus_polkit_ask_peer(peer);
	request->waiting = !peer->known || peer->polkit;
	if (!request->waiting)
		bus_tree_dispatch(request);
	return 1;
}
