/*
 * A method of the table, called over the bus. Everything that follows a task is detached: a D-Bus
 * call has one answer and a time limit, and signals tell the rest.
 *
 * On the system bus a caller who may not see a task, or may not administer, can be let through by
 * polkit: it is asked only then, and the call is made once more.
 */
#include <errno.h>
#include <string.h>

#include "daemon/front/bus_internal.h"
#include "proto/message.h"

#define POLKIT_ALLOW_INTERACTION 1u

static void begin(struct bus_request *request);

/* ---- Errors ---- */

static bool speaks_json(const struct bus_request *request)
{
	return strcmp(sd_bus_message_get_member(request->message), "Call") == 0;
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
	/* A sentence alone, as convention has it and GIO wants it. Who speaks JSON gets the error's
	 * parameters behind it. */
	if (!sd_bus_message_get_expect_reply(request->message) ||
	    sd_bus_message_new_method_error(request->message, &reply, &error) < 0 ||
	    fault_parameters(fault, &parameters) < 0 ||
	    (speaks_json(request) &&
	     sd_bus_message_append(reply, "s", json_text(parameters, NULL)) < 0))
		sd_bus_message_unref(reply);
	else
		bus_send(request->peer->bus, reply);
	json_object_put(parameters);
}

/* ---- polkit ---- */

static int on_polkit(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct bus_request *request = userdata;
	int authorised = 0;

	(void)ret_error;
	request->polkit = sd_bus_slot_unref(request->polkit);
	if (!sd_bus_message_is_method_error(message, NULL) &&
	    sd_bus_message_enter_container(message, 'r', "bba{ss}") >= 0)
		(void)sd_bus_message_read(message, "b", &authorised);
	if (authorised) {
		request->authorised = true;
		begin(request);
	} else {
		send_error(request, &request->fault);
		bus_request_end(request);
	}
	return 1;
}

/* Whether the error is one that an administrator would not have got, perhaps. */
static bool is_liftable(const struct bus_request *request, const struct fault *fault)
{
	if (!request->peer->bus->options.system || request->peer->identity.all ||
	    request->authorised || !request->method)
		return false;
	if (request->method->access == METHOD_ACCESS_ADMINISTRATOR)
		return fault->code == ELLU_E_PERMISSION_DENIED;
	return fault->code == ELLU_E_NOT_FOUND && strcmp(fault->resource_type, "task") == 0;
}

static int ask_polkit(struct bus_request *request)
{
	int interactive = sd_bus_message_get_allow_interactive_authorization(request->message);

	return sd_bus_call_method_async(
		request->peer->bus->bus, &request->polkit, "org.freedesktop.PolicyKit1",
		"/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority",
		"CheckAuthorization", on_polkit, request, "(sa{sv})sa{ss}us", "system-bus-name", 1,
		"name", "s", request->peer->name, BUS_ACTION, 0,
		interactive > 0 ? POLKIT_ALLOW_INTERACTION : 0, "");
}

void bus_call_fail(struct bus_request *request, const struct fault *fault)
{
	if (is_liftable(request, fault)) {
		request->fault = *fault;
		if (ask_polkit(request) >= 0)
			return;
	}
	send_error(request, fault);
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

static bool on_send(struct call *call, struct reply *reply, bool continues)
{
	struct bus_request *request = call->front_data;
	json_object *parameters;

	if (continues)
		return true; // nobody asked for more
	parameters = reply_parameters(reply);
	let_go(request);
	request->answer(request, parameters);
	json_object_put(parameters);
	return true;
}

static void on_fail(struct call *call, const struct fault *fault)
{
	struct bus_request *request = call->front_data;

	let_go(request);
	bus_call_fail(request, fault);
}

static const struct call_front bus_front = { .send = on_send, .fail = on_fail };

static bool has_field(const struct record_type *type, const char *name)
{
	for (size_t i = 0; i < type->n_fields; i++)
		if (strcmp(type->fields[i].name, name) == 0)
			return true;
	return false;
}

static void begin(struct bus_request *request)
{
	struct bus_peer *peer = request->peer;
	struct fault fault = { 0 };
	struct call *call = call_new(peer->bus->options.service);

	if (!call) {
		fault_oom(&fault);
		bus_call_fail(request, &fault);
		return;
	}
	call->method = request->method;
	call->uid = peer->identity.uid;
	call->all = peer->identity.all || request->authorised;
	call->administrator = peer->identity.administrator || request->authorised;
	if (record_decode(call->method->request, request->parameters, FROM_CLIENT, "", &call->arena,
			  &call->request, &fault) < 0) {
		call_unref(call);
		bus_call_fail(request, &fault);
		return;
	}
	call->front = &bus_front;
	call->front_data = request;
	request->call = call;
	call_dispatch(call);
}

void bus_call(struct bus_request *request, const struct method *method, json_object *parameters,
	      void (*answer)(struct bus_request *request, json_object *reply))
{
	request->method = method;
	request->parameters = parameters;
	request->answer = answer;
	if (has_field(method->request, "detach"))
		json_object_object_add(parameters, "detach", json_object_new_boolean(1));
	begin(request);
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
