/* What a message means: the envelope, the service's own interface, and the way to the methods. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/connection.h"
#include "daemon/front/user.h"
#include "daemon/log.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

static void send_fault(struct connection *connection, const struct fault *fault)
{
	char *text;
	size_t size;

	if (connection->oneway)
		return;
	if (wire_error_encode(fault, &text, &size) < 0)
		connection_kill(connection);
	else
		connection_send_text(connection, text, size);
}

/* Errors that carry what was asked for. */
static void name_fault(struct fault *fault, int code, const char *what)
{
	fault_set(fault, code, "there is no %s", what[0] ? what : "such method");
	snprintf(fault->field, sizeof(fault->field), "%s", what);
}

/* Makes the message, unless another connection has. */
static int make_text(struct reply *reply, bool continues)
{
	char *text;
	size_t size;
	int r;

	reply_close(reply, continues);
	if (reply->text)
		return 0;
	r = wire_reply_encode(reply->parameters, continues, &text, &size);
	if (r == 0)
		reply_set_text(reply, text, size);
	return r;
}

static void send_reply(struct connection *connection, struct reply *reply, bool continues)
{
	struct fault fault = { 0 };
	int r;

	if (connection->oneway)
		return;
	r = make_text(reply, continues);
	if (r == 0) {
		connection_send(connection, reply);
		return;
	}
	if (r == -EMSGSIZE) {
		fault_too_large(&fault, MESSAGE_SIZE_MAX, "the reply");
		send_fault(connection, &fault);
		return;
	}
	connection_kill(connection);
}

static void send_parameters(struct connection *connection, json_object *parameters, bool continues)
{
	struct reply *reply = reply_new(json_object_get(parameters));

	if (reply)
		send_reply(connection, reply, continues);
	else
		connection_kill(connection);
	reply_unref(reply);
}

/* ---- Methods of the table ---- */

static bool on_send(struct call *call, struct reply *reply, bool continues)
{
	struct connection *connection = call->front_data;
	bool room;

	send_reply(connection, reply, continues);
	room = connection_has_room(connection);
	if (!continues)
		connection_call_ended(connection);
	return room;
}

static void on_fail(struct call *call, const struct fault *fault)
{
	struct connection *connection = call->front_data;

	send_fault(connection, fault);
	connection_call_ended(connection);
}

static const struct call_front varlink_front = { .send = on_send, .fail = on_fail };

static void begin_call(struct connection *connection, const struct method *method,
		       const struct wire_call *wire)
{
	const struct front_options *options = front_get_options(connection->front);
	struct fault fault = { 0 };
	struct call *call = call_new(options->service);

	if (!call) {
		connection_kill(connection);
		return;
	}
	call->method = method;
	call->uid = connection->identity.uid;
	call->all = connection->identity.all;
	call->administrator = connection->identity.administrator;
	call->more = wire->flags & WIRE_MORE;
	if (record_decode(method->request, wire->parameters, FROM_CLIENT, "", &call->arena,
			  &call->request, &fault) < 0) {
		send_fault(connection, &fault);
		call_unref(call);
		return;
	}
	call->front = &varlink_front;
	call->front_data = connection;
	connection->call = call;
	call_dispatch(call);
}

/* ---- org.varlink.service ---- */

static void reply_record(struct connection *connection, const struct method *method,
			 const void *record)
{
	json_object *parameters;

	if (record_encode(method->reply, record, TO_CLIENT, &parameters) < 0) {
		connection_kill(connection);
		return;
	}
	send_parameters(connection, parameters, /* continues= */ false);
	json_object_put(parameters);
}

static void get_info(struct connection *connection, const struct method *method)
{
	const struct raw_interface *raw = front_get_options(connection->front)->raw;
	struct ellu_get_info_reply reply = ELLU_RECORD(struct ellu_get_info_reply);
	const char *names[8];

	for (size_t i = 0; i < n_interfaces; i++)
		names[reply.n_interfaces++] = interfaces[i]->name;
	if (raw)
		names[reply.n_interfaces++] = raw->name;
	reply.vendor = "elluminate";
	reply.product = "elluminated";
	reply.version = ELLU_VERSION;
	reply.url = "https://github.com/elluminate/elluminated";
	reply.interfaces = names;
	reply_record(connection, method, &reply);
}

static void get_description(struct connection *connection, const struct method *method,
			    const struct wire_call *wire)
{
	const struct raw_interface *raw = front_get_options(connection->front)->raw;
	const struct ellu_get_interface_description_request *request;
	struct ellu_get_interface_description_reply reply =
		ELLU_RECORD(struct ellu_get_interface_description_reply);
	const struct interface_info *interface;
	struct fault fault = { 0 };
	struct arena arena;
	void *record;

	arena_init(&arena);
	if (record_decode(method->request, wire->parameters, FROM_CLIENT, "", &arena, &record,
			  &fault) == 0) {
		request = record;
		interface = interface_find(request->interface);
		if (interface)
			reply.description = interface->text;
		else if (raw && strcmp(raw->name, request->interface) == 0)
			reply.description = raw->description;
		else
			name_fault(&fault, ELLU_E_INTERFACE_NOT_FOUND, request->interface);
	}
	if (fault.code)
		send_fault(connection, &fault);
	else
		reply_record(connection, method, &reply);
	arena_done(&arena);
}

static void serve_service(struct connection *connection, const struct method *method,
			  const struct wire_call *wire)
{
	if (method->id == SERVICE_METHOD_GET_INFO)
		get_info(connection, method);
	else
		get_description(connection, method, wire);
}

/* ---- Raw interfaces ---- */

static void on_raw_reply(struct raw_call *call, json_object *parameters, bool continues)
{
	send_parameters(call->data, parameters, continues);
}

static void on_raw_fail(struct raw_call *call, const char *name, json_object *parameters)
{
	struct connection *connection = call->data;
	const struct raw_interface *raw = front_get_options(connection->front)->raw;
	json_object *reply = json_object_new_object();
	char qualified[256];
	char *copy;
	size_t size;

	if (connection->oneway)
		return;
	snprintf(qualified, sizeof(qualified), "%s.%s", raw->name, name);
	json_object_object_add(reply, "error", json_object_new_string(qualified));
	json_object_object_add(reply, "parameters", json_object_get(parameters));
	copy = strdup(json_text(reply, &size));
	json_object_put(reply);
	if (copy)
		connection_send_text(connection, copy, size + 1);
	else
		connection_kill(connection);
}

/* Returns false when the method is none of the raw interface's. */
static bool serve_raw(struct connection *connection, const struct wire_call *wire)
{
	const struct raw_interface *raw = front_get_options(connection->front)->raw;
	size_t size = raw ? strlen(raw->name) : 0;
	struct raw_call call = {
		.parameters = wire->parameters,
		.flags = wire->flags,
		.reply = on_raw_reply,
		.fail = on_raw_fail,
		.data = connection,
	};

	if (!raw || strncmp(wire->method, raw->name, size) != 0 || wire->method[size] != '.')
		return false;
	call.method = wire->method + size + 1;
	return raw->handle(&call) != -ENOENT;
}

/* ---- Dispatch ---- */

static void refuse_method(struct connection *connection, const char *qualified)
{
	const struct raw_interface *raw = front_get_options(connection->front)->raw;
	const char *dot = strrchr(qualified, '.');
	struct fault fault = { 0 };
	char interface[256];

	snprintf(interface, sizeof(interface), "%.*s", dot ? (int)(dot - qualified) : 0, qualified);
	if (interface_find(interface) || (raw && strcmp(raw->name, interface) == 0))
		name_fault(&fault, ELLU_E_METHOD_NOT_FOUND, qualified);
	else
		name_fault(&fault, ELLU_E_INTERFACE_NOT_FOUND, interface);
	send_fault(connection, &fault);
}

static void serve(struct connection *connection, const struct wire_call *wire)
{
	const struct method *method = method_find(wire->method);

	if (wire->flags & WIRE_UPGRADE) {
		struct fault fault = { 0 };

		fault_set(&fault, ELLU_E_UNSUPPORTED, "connections cannot be upgraded");
		send_fault(connection, &fault);
	} else if (method && method->interface == &service_interface) {
		serve_service(connection, method, wire);
	} else if (method) {
		begin_call(connection, method, wire);
	} else if (!serve_raw(connection, wire)) {
		refuse_method(connection, wire->method);
	}
}

void varlink_dispatch(struct connection *connection, const char *text, size_t size)
{
	struct fault fault = { 0 };
	struct wire_call wire;

	connection->oneway = false;
	if (!text) {
		fault_message(&fault, MESSAGE_SIZE_MAX, "a message is at most %u bytes",
			      MESSAGE_SIZE_MAX);
	} else if (wire_call_decode(text, size, &wire, &fault) == 0) {
		connection->oneway = wire.flags & WIRE_ONEWAY;
		serve(connection, &wire);
		wire_call_done(&wire);
		return;
	}
	/* What does not parse has no known end: nothing after it can be trusted. */
	send_fault(connection, &fault);
	connection->closing = true;
}
