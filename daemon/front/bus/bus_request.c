/* What a caller has asked for: what it takes of its user's, and how it is answered. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/call.h"
#include "daemon/front/bus/bus_internal.h"
#include "proto/json/json_check.h"

#define FIRST_BYTES_MAX 65536

/* A caller counts as a connection while it waits for an answer, or for signals that it asked for;
 * that it called once keeps no idle daemon up. */
void bus_peer_update_held(struct bus_peer *peer)
{
	bool held = peer->n_requests > 0 || peer->stays;

	if (held == peer->held)
		return;
	peer->held = held;
	peer->bus->options.service->n_connections += held ? 1 : -1;
}

/* The first small one of a newcomer is taken whatever others have sent whose uid is not known yet. */
bool bus_request_charge(struct bus_request *request, int64_t bytes, struct fault *fault)
{
	struct bus_peer *peer = request->peer;
	struct user *user = peer->principal.user;
	enum user_slot slot = USER_REQUESTS;
	char numbers[256];

	user_give_back(&request->calls);
	user_give_back(&request->input);
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

int bus_request_new(struct bus_peer *peer, sd_bus_message *message,
		    void (*serve)(struct bus_request *request), struct bus_request **ret_request)
{
	struct bus_request *request = calloc(1, sizeof(*request));

	if (!request)
		return -ENOMEM;
	request->peer = peer;
	request->message = sd_bus_message_ref(message);
	request->serve = serve;
	request->link = peer->tail;
	*peer->tail = request;
	peer->tail = &request->next;
	peer->n_requests++;
	bus_peer_update_held(peer);
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
	if (request->decoding)
		request->decoding->request = NULL;
	arena_done(&request->arena);
	json_object_put(request->parameters);
	call_unref(request->call);
	free(request);
	bus_peer_update_held(peer);
}

void bus_request_abandon(struct bus_request *request)
{
	struct call *call = request->call;

	request->call = NULL;
	if (call)
		call_abandon(call);
	call_unref(call);
	bus_request_end(request);
}

/* ---- Answers ---- */

static bool wants_details(const struct bus_request *request)
{
	const char *member = sd_bus_message_get_member(request->message);

	return strcmp(member, "CallDetailed") == 0 || strcmp(member, "OpenSocket") == 0;
}

static void send_error(struct bus_request *request, const struct fault *fault)
{
	const struct error_info *info = error_find(fault->code);
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	json_object *parameters = NULL;

	if (!info)
		info = error_find(ELLU_E_INTERNAL);
	error.name = info->dbus_name;
	error.message = fault->message;
	/* A sentence alone: GIO shows none that anything follows. Who asks for them gets the error's
	 * parameters behind it. */
	if (!sd_bus_message_get_expect_reply(request->message) ||
	    sd_bus_message_new_method_error(request->message, &reply, &error) < 0 ||
	    fault_parameters(fault, &parameters) < 0 ||
	    (wants_details(request) &&
	     sd_bus_message_append(reply, "s", json_text(parameters, NULL)) < 0))
		sd_bus_message_unref(reply);
	else
		bus_send(request->peer->bus, reply);
	json_object_put(parameters);
}

void bus_request_fail(struct bus_request *request, const struct fault *fault)
{
	send_error(request, fault);
	bus_request_end(request);
}

void bus_reply(struct bus_request *request, sd_bus_message *reply, int r)
{
	struct fault fault = { 0 };

	if (r < 0) {
		sd_bus_message_unref(reply);
		fault_oom(&fault);
		bus_request_fail(request, &fault);
		return;
	}
	if (sd_bus_message_get_expect_reply(request->message))
		bus_send(request->peer->bus, reply);
	else
		sd_bus_message_unref(reply);
	bus_request_end(request);
}

void bus_reply_error(struct bus_request *request, const char *name, const char *text)
{
	const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(name, text);
	sd_bus_message *reply = NULL;

	if (sd_bus_message_get_expect_reply(request->message) &&
	    sd_bus_message_new_method_error(request->message, &reply, &error) >= 0)
		bus_send(request->peer->bus, reply);
	bus_request_end(request);
}
