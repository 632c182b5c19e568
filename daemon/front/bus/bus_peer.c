/*
 * Who calls. dbus-daemon puts no credentials into messages, and asking for them with sd-bus's own
 * helper would wait; so they are asked for with a call of ours, once a unique name, and what the
 * caller sent meanwhile waits in order. A name is never used again, so what is known of it holds
 * until the bus says that it is gone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/container_of.h"
#include "daemon/base/log.h"
#include "daemon/front/bus/bus_internal.h"
#include "daemon/front/front.h"

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

/* On a session's bus signals go to all. */
void bus_peer_subscribe(struct bus_peer *peer, bool subscribed, bool stays)
{
	peer->subscribed = subscribed && peer->bus->options.system;
	peer->stays = peer->subscribed && stays;
	bus_peer_update_held(peer);
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

	while (peer->requests)
		bus_request_abandon(peer->requests);

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

/* It is known what the caller may: its calls that wait are served. */
static void serve_waiting(struct bus_peer *peer)
{
	struct bus_request *request = peer->requests;

	peer->known = true;
	while (request) {
		struct bus_request *next = request->next; // serving may end this one
		struct fault fault = { 0 };

		if (request->waiting) {
			request->waiting = false;
			if (bus_request_charge(request, request->input.amount, &fault))
				request->serve(request);
			else
				bus_request_fail(request, &fault);
		}
		request = next;
	}
}

/* ---- What polkit lets it do ---- */

static int on_polkit_answer(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct bus_peer *peer = userdata;

	(void)ret_error;
	peer->polkit = sd_bus_slot_unref(peer->polkit);
	/* It may have answered before it changed its mind. */
	if (peer->stale && bus_peer_ask_polkit(peer))
		return 1;
	peer->lifted = bus_polkit_says_yes(message);
	serve_waiting(peer);
	return 1;
}

bool bus_peer_ask_polkit(struct bus_peer *peer)
{
	const struct bus_question question = { .peer = peer };

	peer->stale = false;
	return peer->bus->options.system && !(peer->principal.scopes & PRINCIPAL_SEES_ALL) &&
	       bus_polkit_ask(&question, &peer->polkit, on_polkit_answer, peer) >= 0;
}

/* Who only calls is asked about at its next call. */
static int on_polkit_changed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct bus *bus = userdata;

	(void)message;
	(void)ret_error;
	front_take_back(bus->options.front);
	for (struct bus_peer *peer = bus->peers; peer; peer = peer->next) {
		peer->stale = peer->known || peer->polkit;
		if (peer->stale && peer->subscribed && !peer->polkit)
			(void)bus_peer_ask_polkit(peer);
	}
	return 0;
}

int bus_peers_follow_polkit(struct bus *bus)
{
	return bus->options.system ? bus_polkit_follow(bus, on_polkit_changed) : 0;
}

/* ---- Credentials ---- */

static void refuse_all(struct bus_peer *peer, const struct fault *fault)
{
	while (peer->requests)
		bus_request_fail(peer->requests, fault);
}

static void on_introduced(struct user_waiter *waiter)
{
	struct bus_peer *peer = container_of(waiter, struct bus_peer, waiter);

	if (!bus_peer_ask_polkit(peer))
		serve_waiting(peer);
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

int bus_peer_take(struct bus *bus, sd_bus_message *message, int64_t bytes,
		  void (*serve)(struct bus_request *request))
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
	r = bus_request_new(peer, message, serve, &request);
	if (r < 0)
		return r;
	if (!bus_request_charge(request, bytes, &fault)) {
		bus_request_fail(request, &fault);
		return 1;
	}
	if (peer->stale && !peer->polkit)
		(void)bus_peer_ask_polkit(peer);
	request->waiting = !peer->known || peer->polkit;
	if (!request->waiting)
		request->serve(request);
	return 1;
}
