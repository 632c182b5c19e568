/*
 * A method of the table, called over the bus. Everything that follows a task is detached: a D-Bus
 * call has one answer and a time limit, and signals tell the rest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/methods.h"
#include "daemon/base/container_of.h"
#include "daemon/front/bus/bus_internal.h"
#include "daemon/front/reply.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "proto/wire/message.h"

static void decode_parameters(struct bus_request *request);

/* ---- What polkit may lift ---- */

static int on_polkit_answer(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct bus_request *request = userdata;

	(void)ret_error;
	request->polkit = sd_bus_slot_unref(request->polkit);
	request->authorised = bus_polkit_says_yes(message);
	if (request->authorised)
		decode_parameters(request);
	else
		bus_request_fail(request, &request->fault);
	return 1;
}

/* Whether the error is one that an administrator would not have got, perhaps. */
static bool is_liftable(const struct bus_request *request, const struct fault *fault)
{
	if (!request->peer->bus->options.system || bus_peer_sees_all(request->peer) ||
	    request->authorised || !request->method)
		return false;
	if (request->method->access == METHOD_ACCESS_ADMINISTRATOR)
		return fault->code == ELLU_E_PERMISSION_DENIED;
	return fault->code == ELLU_E_NOT_FOUND && fault->has_id; // names are each user's own
}

/* False: polkit is not asked. */
static bool ask_polkit(struct bus_request *request, const struct fault *fault)
{
	char resource[sizeof(fault->resource_type) + 32];
	struct bus_question question = {
		.peer = request->peer,
		.interactive =
			sd_bus_message_get_allow_interactive_authorization(request->message) > 0,
	};

	if (!is_liftable(request, fault))
		return false;
	question.method = request->method->name;
	if (fault->has_id) {
		snprintf(resource, sizeof(resource), "%s %lld", fault->resource_type,
			 (long long)fault->id);
		question.resource = resource;
	}
	request->fault = *fault;
	return bus_polkit_ask(&question, &request->polkit, on_polkit_answer, request) >= 0;
}

/* ---- Calls ---- */

/* The call has been answered; what is left of it lives on by its own references. */
static void let_go(struct bus_request *request)
{
	struct call *call = request->call;

	request->call = NULL;
	call->front = NULL;
	call_unref(call);
}

static int on_send(struct call *call, struct answer *answer, bool continues)
{
	struct bus_request *request = call->front_data;

	if (continues)
		return true; // nobody asked for more
	let_go(request);
	request->answer(request, answer);
	return true;
}

static void on_fail(struct call *call, const struct fault *fault)
{
	struct bus_request *request = call->front_data;

	let_go(request);
	if (!ask_polkit(request, fault))
		bus_request_fail(request, fault);
}

static const struct call_front bus_front = { .send = on_send, .fail = on_fail };

static void begin(struct bus_request *request)
{
	struct bus_peer *peer = request->peer;
	struct fault fault = { 0 };
	struct call *call;

	if (!reply_expect(&request->expected, peer->principal.user, request->method,
			  REPLY_BEGINS, &request->waiter))
		return;
	call = call_new(peer->bus->options.service);
	if (!call) {
		fault_oom(&fault);
		bus_request_fail(request, &fault);
		return;
	}
	call->method = request->method;
	call->principal = peer->principal;
	if (bus_peer_sees_all(peer) || request->authorised)
		call->principal.scopes |= PRINCIPAL_SEES_ALL | PRINCIPAL_ADMINISTERS;
	call->detached = request->method->detach;
	call->arena = arena_take(&request->arena);
	call->request = request->record;
	request->record = NULL;
	call->front = &bus_front;
	call->front_data = request;
	request->call = call;
	call_dispatch(call);
}

static void on_wake(struct user_waiter *waiter)
{
	begin(container_of(waiter, struct bus_request, waiter));
}

/* One stream brings the requests of all. */
static void begin_in_turn(struct bus_request *request)
{
	struct user *user = request->peer->principal.user;

	if (!user_take_turn(user, &request->waiter))
		return;
	user_begin_work(user);
	begin(request);
	user_end_work(user);
}

/* ---- Parameters ---- */

static int parse(struct bus_decoding *decoding, json_object **ret_json)
{
	const char *text = decoding->text;
	size_t size = text ? strlen(text) : 0;

	if (size == 0) {
		*ret_json = json_object_new_object();
		return 0;
	}
	if (size > MESSAGE_SIZE_MAX)
		return fault_too_large(&decoding->fault, MESSAGE_SIZE_MAX, "the argument");
	if (json_parse_strict(text, size, ret_json, &decoding->fault) < 0)
		return decoding->fault.code;
	if (!json_object_is_type(*ret_json, json_type_object))
		return fault_message(&decoding->fault, 0, "expected a JSON object");
	return 0;
}

static void decode(struct decoding *base)
{
	struct bus_decoding *decoding = (struct bus_decoding *)base;
	const struct method *method = decoding->method;
	json_object *json = NULL;

	if (parse(decoding, &json) == 0) {
		json_object_object_foreach (decoding->parameters, name, value)
			json_object_object_add(json, name, json_object_get(value));
		(void)record_decode(method->request, json, FROM_CLIENT, "", &decoding->arena,
				    &decoding->record, &decoding->fault);
	}
	json_object_put(json);
}

static void on_decoded(struct decoding *base)
{
	struct bus_decoding *decoding = (struct bus_decoding *)base;
	struct bus_request *request = decoding->request;

	if (request) {
		request->decoding = NULL;
		request->parameters = decoding->parameters;
		decoding->parameters = NULL;
		request->arena = arena_take(&decoding->arena);
		request->record = decoding->record;
		user_worked_elsewhere(request->peer->principal.user, base->took_usec);
		if (decoding->fault.code)
			bus_request_fail(request, &decoding->fault);
		else
			begin_in_turn(request);
	}
	json_object_put(decoding->parameters);
	arena_done(&decoding->arena);
	sd_bus_message_unref(decoding->message);
	free(decoding);
}

static void decode_parameters(struct bus_request *request)
{
	struct bus_decoding *decoding = calloc(1, sizeof(*decoding));
	struct user *user = request->peer->principal.user;
	struct fault fault = { 0 };

	if (!decoding) {
		fault_oom(&fault);
		bus_request_fail(request, &fault);
		return;
	}
	decoding->request = request;
	decoding->message = sd_bus_message_ref(request->message);
	decoding->method = request->method;
	decoding->text = request->text;
	decoding->parameters = request->parameters;
	decoding->decoding.decode = decode;
	decoding->decoding.done = on_decoded;
	arena_init(&decoding->arena);
	request->parameters = NULL;
	request->decoding = decoding;
	if (decoding->text && strlen(decoding->text) > DECODE_HERE_MAX) {
		decoder_post(request->peer->bus->options.service, &decoding->decoding);
		return;
	}
	user_begin_work(user);
	decode(&decoding->decoding);
	user_end_work(user);
	on_decoded(&decoding->decoding);
}

void bus_call(struct bus_request *request, const struct method *method, const char *text,
	      json_object *parameters,
	      void (*answer)(struct bus_request *request, const struct answer *answer))
{
	request->method = method;
	request->text = text;
	request->parameters = parameters;
	request->answer = answer;
	request->waiter.wake = on_wake;
	decode_parameters(request);
}

const struct ellu_task *bus_answered_task(const struct answer *answer)
{
	return record_member(answer->type, answer->record, "task");
}
