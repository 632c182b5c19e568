/* What a message means, and how an answer looks; the service's own interface. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/connection.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

void varlink_fail(struct connection *connection, const struct fault *fault)
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

static void send_parameters(struct connection *connection, json_object *parameters, bool continues)
{
	struct fault fault = { 0 };
	char *text;
	size_t size;
	int r = connection->oneway ? 0 : wire_reply_encode(parameters, continues, &text, &size);

	if (connection->oneway)
		return;
	if (r == -EMSGSIZE) {
		fault_too_large(&fault, MESSAGE_SIZE_MAX, "the reply");
		varlink_fail(connection, &fault);
	} else if (r < 0) {
		connection_kill(connection);
	} else {
		connection_send_text(connection, text, size);
	}
}

/* ---- Replies of methods ---- */

static int encode(const struct answer *answer, bool continues, char **ret_text, size_t *ret_size)
{
	json_object *json = NULL;
	int r = record_encode(answer->type, answer->record, TO_CLIENT, &json);

	if (r >= 0)
		r = wire_reply_encode(json, continues, ret_text, ret_size);
	json_object_put(json);
	return r;
}

/* Unless it is there: made by who read it, or for another connection. */
int varlink_make_reply(struct answer *answer, bool continues, struct loop *behind,
		       struct reply **ret_reply)
{
	struct reply *reply = answer->share ?
				      replies_find(answer->share, answer->type, REPLY_VARLINK, continues) :
				      NULL;
	bool is_made = answer->text;
	size_t size;
	char *text;
	int r;

	if (reply) {
		*ret_reply = reply_ref(reply);
		return 0;
	}
	if (answer->text) {
		size = wire_reply_close(answer->text, answer->text_size, continues);
		text = answer->text;
		answer->text = NULL;
	} else {
		r = encode(answer, continues, &text, &size);
		if (r < 0)
			return r;
	}
	*ret_reply = reply_new(text, size, is_made ? behind : NULL);
	if (*ret_reply && answer->share)
		replies_keep(answer->share, answer->type, REPLY_VARLINK, continues, *ret_reply);
	return *ret_reply ? 0 : -ENOMEM;
}

/* ---- org.varlink.service ---- */

/* `share` lies beside what is always the same; or NULL. */
static void reply_record(struct connection *connection, const struct method *method,
			 const void *record, struct share *share)
{
	struct answer answer = { .type = method->reply, .record = record, .share = share };
	struct reply *reply = NULL;

	if (connection->oneway)
		return;
	if (varlink_make_reply(&answer, /* continues= */ false, NULL, &reply) < 0)
		connection_kill(connection);
	else
		connection_send(connection, reply);
	reply_unref(reply);
}

static void get_info(struct connection *connection, const struct method *method)
{
	const struct raw_interface *raw = connection->front->options.raw;
	const char *names[SERVICE_INTERFACES_MAX];
	struct ellu_get_info_reply reply = service_info(names);

	if (raw)
		names[reply.n_interfaces++] = raw->name;
	reply_record(connection, method, &reply, NULL);
}

static struct share *description_share(struct front *front, const struct interface_info *interface)
{
	size_t i = 0;

	while (interfaces[i] != interface)
		i++;
	return &front->descriptions[i];
}

static void get_description(struct connection *connection, const struct decoded *decoded)
{
	const struct raw_interface *raw = connection->front->options.raw;
	const struct ellu_get_interface_description_request *request = decoded->request;
	struct ellu_get_interface_description_reply reply =
		ELLU_RECORD(struct ellu_get_interface_description_reply);
	const struct interface_info *interface = interface_find(request->interface);
	struct share *share = NULL;
	struct fault fault = { 0 };

	if (interface) {
		reply.description = interface->text;
		share = description_share(connection->front, interface);
	} else if (raw && strcmp(raw->name, request->interface) == 0) {
		reply.description = raw->description;
	} else {
		name_fault(&fault, ELLU_E_INTERFACE_NOT_FOUND, request->interface);
	}
	if (fault.code)
		varlink_fail(connection, &fault);
	else
		reply_record(connection, decoded->method, &reply, share);
}

static void serve_service(struct connection *connection, const struct decoded *decoded)
{
	if (decoded->method->id == SERVICE_METHOD_GET_INFO)
		get_info(connection, decoded->method);
	else
		get_description(connection, decoded);
}

/* ---- Raw interfaces ---- */

static void on_raw_reply(struct raw_call *call, json_object *parameters, bool continues)
{
	send_parameters(call->data, parameters, continues);
}

static void on_raw_fail(struct raw_call *call, const char *name, json_object *parameters)
{
	struct connection *connection = call->data;
	const struct raw_interface *raw = connection->front->options.raw;
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
	const struct raw_interface *raw = connection->front->options.raw;
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
	const struct raw_interface *raw = connection->front->options.raw;
	const char *dot = strrchr(qualified, '.');
	struct fault fault = { 0 };
	char interface[256];

	snprintf(interface, sizeof(interface), "%.*s", dot ? (int)(dot - qualified) : 0, qualified);
	if (interface_find(interface) || (raw && strcmp(raw->name, interface) == 0))
		name_fault(&fault, ELLU_E_METHOD_NOT_FOUND, qualified);
	else
		name_fault(&fault, ELLU_E_INTERFACE_NOT_FOUND, interface);
	varlink_fail(connection, &fault);
}

bool varlink_serve(struct connection *connection, struct decoded *decoded)
{
	const struct method *method = decoded->method;
	struct fault *fault = &decoded->fault;

	connection->oneway = decoded->flags & WIRE_ONEWAY;
	if (decoded->flags & WIRE_UPGRADE)
		fault_set(fault, ELLU_E_UNSUPPORTED, "connections cannot be upgraded");
	if (fault->code)
		varlink_fail(connection, fault);
	else if (method && method->interface == &service_interface)
		serve_service(connection, decoded);
	else if (method)
		return false;
	else if (!serve_raw(connection, &decoded->wire))
		refuse_method(connection, decoded->wire.method);
	/* What does not parse has no known end: nothing after it can be trusted. */
	if (decoded->is_broken)
		connection->closing = true;
	return true;
}
