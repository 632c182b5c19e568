/*
 * A method of the table, called over the bus. Everything that follows a task is detached: a D-Bus
 * call has one answer and a time limit, and signals tell the rest.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/bus/bus_internal.h"
#include "daemon/front/decoder.h"
#include "daemon/front/reply.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "proto/wire/message.h"

/* Parameters on their way to a record. It outlives its request. */
struct bus_decoding {
	struct decoding decoding;
	struct bus_request *request; // NULL: gone
	sd_bus_message *message; // holds the text
	const struct method *method;
	const char *text;
	json_object *parameters;
	struct arena arena;
	void *record;
	struct fault fault;
};

static void decode_parameters(struct bus_request *request);

/* ---- Errors ---- */

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

void bus_call_fail(struct bus_request *request, const struct fault *fault)
{
	if (bus_polkit_ask_request(request, fault))
		return;
	send_error(request, fault);
	bus_request_end(request);
}

void bus_call_again(struct bus_request *request)
{
	if (request->authorised) {
		decode_parameters(request);
		return;
	}
	send_error(request, &request->fault);
	bus_request_end(request);
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
	bus_call_fail(request, fault);
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
		bus_call_fail(request, &fault);
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

void bus_call_wake(struct user_waiter *waiter)
{
	begin((struct bus_request *)((char *)waiter - offsetof(struct bus_request, waiter)));
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
			bus_call_fail(request, &decoding->fault);
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
		bus_call_fail(request, &fault);
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
	decode_parameters(request);
}

const struct ellu_task *bus_answered_task(const struct answer *answer)
{
	return record_member(answer->type, answer->record, "task");
}

void bus_call_abandon(struct bus_request *request)
{
	struct call *call = request->call;

	if (!call)
		return;
	request->call = NULL;
	call_abandon(call);
	call_unref(call);
}

void bus_call_forget(struct bus_request *request)
{
	if (request->decoding)
		request->decoding->request = NULL;
	arena_done(&request->arena);
	json_object_put(request->parameters);
}
