/* What a message means: the envelope, the service's own interface, and the way to the methods. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/methods.h"
#include "daemon/base/log.h"
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

/* ---- Methods of the table ---- */

static int encode(const struct answer *answer, bool continues, char **ret_text, size_t *ret_size)
{
	json_object *json = NULL;
	int r = record_encode(answer->type, answer->record, TO_CLIENT, &json);

	if (r >= 0)
		r = wire_reply_encode(json, continues, ret_text, ret_size);
	json_object_put(json);
	return r;
}

/* Makes the message, unless it is there: made by who read it, or for another connection. What was
 * read is freed behind. */
static int make_reply(struct service *service, struct answer *answer, bool continues,
		      struct reply **ret_reply)
{
	struct reply *reply = answer->share ?
				      replies_find(answer->share, answer->type, REPLY_VARLINK, continues) :
				      NULL;
	struct loop *behind = answer->text ? service->behind : NULL;
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
	*ret_reply = reply_new(text, size, behind);
	if (*ret_reply && answer->share)
		replies_keep(answer->share, answer->type, REPLY_VARLINK, continues, *ret_reply);
	return *ret_reply ? 0 : -ENOMEM;
}

static int on_send(struct call *call, struct answer *answer, bool continues)
{
	struct connection *connection = call->front_data;
	struct reply *reply = NULL;
	int r = connection->oneway ? 0 : make_reply(call->service, answer, continues, &reply);

	if (r < 0)
		return r;
	if (reply)
		connection_send(connection, reply);
	reply_unref(reply);
	if (continues)
		return connection_has_room(connection);
	connection_call_ended(connection);
	return true;
}

static void on_fail(struct call *call, const struct fault *fault)
{
	struct connection *connection = call->front_data;

	varlink_fail(connection, fault);
	connection_call_ended(connection);
}

static const struct call_front varlink_front = { .send = on_send, .fail = on_fail };

/* Takes the request. */
static void begin_call(struct connection *connection, struct decoded *decoded)
{
	struct user *user = connection->principal.user;
	struct call *call = call_new(front_get_options(connection->front)->service);

	if (!call) {
		connection_kill(connection);
		return;
	}
	call->method = decoded->method;
	call->principal = connection->principal;
	call->more = decoded->flags & WIRE_MORE;
	call->arena = arena_take(&decoded->arena);
	call->request = decoded->request;
	call->digest = decoded->digest;
	call->front = &varlink_front;
	call->front_data = connection;
	user_move(&connection->input, &call->input);
	connection->call = call;
	if (user_take(&connection->calls, user, USER_REQUESTS, 1))
		call_dispatch(call);
	else
		call_fail_limit(call, USER_REQUESTS);
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
	if (make_reply(NULL, &answer, /* continues= */ false, &reply) < 0)
		connection_kill(connection);
	else
		connection_send(connection, reply);
	reply_unref(reply);
}

static void get_info(struct connection *connection, const struct method *method)
{
	const struct raw_interface *raw = front_get_options(connection->front)->raw;
	const char *names[SERVICE_INTERFACES_MAX];
	struct ellu_get_info_reply reply = service_info(names);

	if (raw)
		names[reply.n_interfaces++] = raw->name;
	reply_record(connection, method, &reply, NULL);
}

static void get_description(struct connection *connection, const struct decoded *decoded)
{
	const struct raw_interface *raw = front_get_options(connection->front)->raw;
	const struct ellu_get_interface_description_request *request = decoded->request;
	struct ellu_get_interface_description_reply reply =
		ELLU_RECORD(struct ellu_get_interface_description_reply);
	const struct interface_info *interface = interface_find(request->interface);
	struct share *share = NULL;
	struct fault fault = { 0 };

	if (interface) {
		reply.description = interface->text;
		share = front_description(connection->front, interface);
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
	varlink_fail(connection, &fault);
}

void varlink_serve(struct connection *connection, struct decoded *decoded)
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
		begin_call(connection, decoded);
	else if (!serve_raw(connection, &decoded->wire))
		refuse_method(connection, decoded->wire.method);
	/* What does not parse has no known end: nothing after it can be trusted. */
	if (decoded->is_broken)
		connection->closing = true;
}
