/*
 * Every method of the interface, as JSON: by the verb and path that the interface gives it, below /api/v1,
 * or by its name: `POST /api/v1/METHOD` with its parameters as the body, and `GET /api/v1/METHOD?name=value`
 * of what changes nothing. With `Accept: text/event-stream` what has many
 * replies is sent as Server-Sent Events: each has the id to go on behind, by Last-Event-ID, where the
 * method can; the last one is named `end`, an error `error`.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/http/http_route.h"
#include "daemon/front/http/http_state.h"
#include "daemon/front/http/http_tables.h"
#include "daemon/front/reply.h"
#include "proto/generated/interface.h"
#include "proto/json/json_build.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

#define BASE "/api/v1"
#define EVENT_STREAM "text/event-stream"
#define QUERY_DEPTH_MAX 4

/* ---- The request ---- */

/* Whether the path is that of the method. */
static bool fits(const struct method *method, const char *path)
{
	const char *pattern = method->path;

	while (pattern && *pattern == '/' && *path == '/') {
		size_t pattern_size = strcspn(++pattern, "/"), size = strcspn(++path, "/");

		if (*pattern == '{' ? size == 0 : size != pattern_size || memcmp(pattern, path, size) != 0)
			return false;
		pattern += pattern_size;
		path += size;
	}
	return pattern && !*pattern && !*path;
}

/* Those that call it, by its name or else by its path. */
static unsigned verbs_of(const struct method *method, bool by_name)
{
	unsigned verbs = !by_name ? http_verb_of(method->verb) : method->safe ? HTTP_GET | HTTP_POST : HTTP_POST;

	/* What a stream of events would say is not known before it is told. */
	return verbs & HTTP_GET && method->replies != METHOD_REPLIES_EVENTS ? verbs | HTTP_HEAD : verbs;
}

/* That of the name, or of verb and path; NULL: none. And the verbs that are served there. */
static const struct method *find(const struct http_exchange *exchange, unsigned *ret_verbs)
{
	const struct interface_info *interface = interfaces[0];
	unsigned verb = exchange->head.verb == HTTP_HEAD ? HTTP_GET : exchange->head.verb;
	const struct method *found = NULL;

	*ret_verbs = 0;
	for (size_t i = 0; i < interface->n_methods; i++) {
		const struct method *method = &interface->methods[i];

		if (strcmp(method->name, exchange->values[0]) == 0) {
			*ret_verbs = verbs_of(method, /* by_name= */ true);
			return method;
		}
		if (!fits(method, exchange->head.path + strlen(BASE)))
			continue;
		if (http_verb_of(method->verb) == verb)
			found = method;
		*ret_verbs |= verbs_of(method, /* by_name= */ false);
	}
	return found;
}

static const struct method *method_of(const struct http_exchange *exchange)
{
	unsigned verbs;

	return find(exchange, &verbs);
}

static bool is_by_name(const struct http_exchange *exchange, const struct method *method)
{
	return strcmp(method->name, exchange->values[0]) == 0;
}

static bool wants_events(const struct http_exchange *exchange, const struct method *method)
{
	return http_header_lists(http_header(&exchange->head, "accept"), EVENT_STREAM) &&
	       (method->replies == METHOD_REPLIES_EVENTS || method->replies == METHOD_REPLIES_PAGES);
}

/* What a text stands for; what is no value of the field's kind stays a text, which is refused then. */
static json_object *value_of(const struct record_field *field, const char *text)
{
	bool is_text = field->kind == FIELD_STRING || field->kind == FIELD_TIME ||
		       field->kind == FIELD_MONEY;
	json_object *value = NULL;
	struct fault fault = { 0 };

	if (is_text || json_parse_strict(text, strlen(text), &value, &fault) < 0 || !value)
		return json_object_new_string(text);
	return value;
}

static int put_value(const struct record_field *field, json_object *object, const char *text)
{
	json_object *value = value_of(field, text), *array = NULL;

	if (!value)
		return -ENOMEM;
	if (field->container != FIELD_ARRAY || json_object_is_type(value, json_type_array)) {
		json_object_object_del(object, field->name);
		return json_add_member(object, field->name, value);
	}
	if (!json_object_object_get_ex(object, field->name, &array)) {
		array = json_object_new_array();
		if (!array || json_add_member(object, field->name, array) < 0) {
			json_object_put(value);
			return -ENOMEM;
		}
	}
	return json_object_array_add(array, value) < 0 ? -ENOMEM : 0;
}

/* `experiment.name=haiku` is the member of a record; a name of no field is left to be refused. */
static int put_parameter(const struct record_type *type, json_object *object, char *name,
			 const char *text)
{
	static const struct record_field unknown = { .kind = FIELD_STRING };
	struct record_field field;

	for (unsigned depth = 0; depth < QUERY_DEPTH_MAX; depth++) {
		char *dot = strchr(name, '.');
		const struct record_field *found;
		json_object *inner;

		if (dot)
			*dot = '\0';
		found = record_field_find(type, name);
		field = found ? *found : unknown;
		field.name = name;
		if (!dot || !found || found->kind != FIELD_STRUCT)
			break;
		if (!json_object_object_get_ex(object, name, &inner)) {
			inner = json_object_new_object();
			if (!inner || json_add_member(object, name, inner) < 0)
				return -ENOMEM;
		}
		if (!json_object_is_type(inner, json_type_object))
			break;
		type = found->type;
		object = inner;
		name = dot + 1;
	}
	return put_value(&field, object, text);
}

/* What the path says of the field that is in braces there. */
static int put_segment(struct http_exchange *exchange, const struct method *method, json_object *object,
		       const char *pattern, const char *segment)
{
	struct arena *arena = &exchange->arena;
	char *name = arena_strndup(arena, pattern + 1, strcspn(pattern, "}") - 1);
	char *text = arena_strndup(arena, segment, strcspn(segment, "/"));
	const struct record_field *field = name ? record_field_find(method->request, name) : NULL;

	if (!field || !text)
		return fault_oom(&exchange->fault);
	if (http_unescape(text, false) < 0)
		return fault_message(&exchange->fault, 0, "the path is not escaped as it must be");
	if (field->kind == FIELD_STRUCT)
		name = arena_printf(arena, "%s.%s", name, text[strspn(text, "0123456789")] ? "name" : "id");
	return name && put_parameter(method->request, object, name, text) == 0 ? 0 : fault_oom(&exchange->fault);
}

static int read_path(struct http_exchange *exchange, const struct method *method, json_object *object)
{
	const char *pattern = method->path, *path = exchange->head.path + strlen(BASE);
	int r = 0;

	if (is_by_name(exchange, method))
		return 0;
	for (; r == 0 && pattern && path; pattern = strchr(pattern, '/'), path = strchr(path, '/'))
		if (*++path && *++pattern == '{')
			r = put_segment(exchange, method, object, pattern, path);
	return r;
}

static int read_query(struct http_exchange *exchange, const struct method *method, json_object *object)
{
	char *query = exchange->head.query, *name, *value;
	int r;

	while ((r = http_query_next(&query, &name, &value)) > 0) {
		r = put_parameter(method->request, object, name, value);
		if (r < 0)
			return fault_oom(&exchange->fault);
	}
	return r < 0 ? fault_message(&exchange->fault, 0, "the query is not escaped as it must be") : 0;
}

/* Where a stream broke off. */
static int go_on_behind(struct http_exchange *exchange, const struct method *method, json_object *object)
{
	const char *id = http_header(&exchange->head, "last-event-id");
	const struct record_field *field;

	if (!id || !*id || !wants_events(exchange, method))
		return 0;
	field = record_field_find(method->request, "cursor");
	if (!field)
		field = record_field_find(method->request, "after_sequence");
	return field && put_value(field, object, id) < 0 ? fault_oom(&exchange->fault) : 0;
}

static int decode_request(struct http_exchange *exchange, const struct method *method,
			  json_object *object)
{
	void *request = NULL;
	int r = object ? read_query(exchange, method, object) : fault_oom(&exchange->fault);

	if (r == 0)
		r = read_path(exchange, method, object);
	if (r == 0)
		r = go_on_behind(exchange, method, object);
	if (r == 0)
		r = record_decode(method->request, object, FROM_CLIENT, "", &exchange->arena, &request,
				  &exchange->fault);
	exchange->data = request;
	return r;
}

static void decode(struct http_exchange *exchange)
{
	const struct method *method = method_of(exchange);
	json_object *json = NULL;

	if (method && json_parse_strict(exchange->body, exchange->body_size, &json, &exchange->fault) == 0) {
		if (json_object_is_type(json, json_type_object))
			(void)decode_request(exchange, method, json);
		else
			fault_message(&exchange->fault, 0, "expected a JSON object");
	}
	json_object_put(json);
}

/* ---- The answer ---- */

static int answer_once(struct http_call *call, struct answer *answer, bool continues)
{
	size_t size;
	char *text;
	int r;

	if (continues)
		return true; // nobody asked for more
	r = http_answer_text(answer, &text, &size);
	if (r < 0)
		return r;
	http_answer(call->exchange, 200, "application/json", text, size);
	free(text);
	return true;
}

/* What to go on behind, for a client that comes back. */
static void write_id(const struct answer *answer, char *ret_id, size_t size)
{
	const char *cursor = record_member(answer->type, answer->record, "cursor");
	const struct ellu_task_event *event = record_member(answer->type, answer->record, "event");
	const struct ellu_task *task = record_member(answer->type, answer->record, "task");

	if (!cursor)
		cursor = record_member(answer->type, answer->record, "next_cursor");
	if (cursor)
		snprintf(ret_id, size, "id: %s\n", cursor);
	else if (event || task)
		snprintf(ret_id, size, "id: %lld\n", (long long)(event ? event->sequence : task->sequence));
	else
		ret_id[0] = '\0';
}

static int make_event(struct answer *answer, bool continues, char **ret_text, size_t *ret_size)
{
	char id[256];
	size_t size;
	char *text;
	int n, r;

	write_id(answer, id, sizeof(id));
	r = http_answer_text(answer, &text, &size);
	if (r < 0)
		return r;
	n = asprintf(ret_text, "%s%sdata: %.*s\n\n", id, continues ? "" : "event: end\n", (int)size, text);
	free(text);
	*ret_size = (size_t)n;
	return n < 0 ? -ENOMEM : 0;
}

static int answer_event(struct http_call *call, struct answer *answer, bool continues)
{
	int r = http_stream_tell(call, answer, continues, REPLY_EVENT, make_event);

	if (r >= 0 && !continues)
		http_stream_end(call->exchange);
	return r;
}

/* Once events have been sent, the error is one, too. */
static void fail_events(struct http_call *call, const struct fault *fault)
{
	struct http_exchange *exchange = call->exchange;
	const struct ellu_error *error = NULL;
	char *text = NULL, *event = NULL;
	struct arena arena;
	int n = -1;

	if (!exchange->begun) {
		http_fail(exchange, fault);
		return;
	}
	arena_init(&arena);
	if (fault_to_error(fault, &arena, &error) == 0 &&
	    record_to_text(&ellu_error_type, error, TO_CLIENT, &text, NULL) == 0)
		n = asprintf(&event, "event: error\ndata: {\"error\":%s}\n\n", text);
	if (n > 0) {
		(void)http_stream_send(exchange, event, (size_t)n);
		http_stream_end(exchange);
	} else {
		http_stream_break(exchange);
	}
	arena_done(&arena);
	free(event);
	free(text);
}

static void serve(struct http_exchange *exchange)
{
	static const struct http_call once = { .answered = answer_once };
	static const struct http_call events = { .answered = answer_event, .failed = fail_events, .more = true };
	unsigned verbs;
	const struct method *method = find(exchange, &verbs);
	json_object *object;
	struct fault fault = { 0 };
	bool streams;

	if (!verbs) {
		fault_set(&fault, ELLU_E_METHOD_NOT_FOUND, "there is no method %s", exchange->values[0]);
		snprintf(fault.field, sizeof(fault.field), "%.*s",
			 (int)utf8_cut(exchange->values[0], strlen(exchange->values[0]), sizeof(fault.field) - 1),
			 exchange->values[0]);
		http_fail(exchange, &fault);
		return;
	}
	if (!(verbs & exchange->head.verb)) {
		http_fail_verb(exchange, verbs, /* why= */ NULL);
		return;
	}
	if (!exchange->body) {
		object = json_object_new_object();
		(void)decode_request(exchange, method, object);
		json_object_put(object);
	}
	if (exchange->fault.code) {
		http_fail(exchange, &exchange->fault);
		return;
	}
	streams = wants_events(exchange, method);
	if (streams)
		http_stream_expect(exchange, EVENT_STREAM, ": \n\n");
	http_call_decoded(exchange, method, exchange->data, &exchange->arena, streams ? &events : &once);
	/* What may have nothing to tell for long says at once that it listens. */
	if (streams && method->replies == METHOD_REPLIES_EVENTS && !method->follows_task)
		http_stream_begin(exchange, 200, EVENT_STREAM, ": \n\n");
}

static void serve_description(struct http_exchange *exchange)
{
	const char *text = interfaces[0]->text;

	http_answer(exchange, 200, "text/plain; charset=utf-8", text, strlen(text));
}

static void serve_info(struct http_exchange *exchange)
{
	const char *names[SERVICE_INTERFACES_MAX];
	const struct ellu_get_info_reply reply = service_info(names);
	struct fault fault = { 0 };
	char *text;
	size_t size;

	if (record_to_text(&ellu_get_info_reply_type, &reply, TO_CLIENT, &text, &size) < 0) {
		http_fail_as(exchange, 500, (fault_oom(&fault), &fault));
		return;
	}
	http_answer(exchange, 200, "application/json", text, size);
	free(text);
}

static const struct http_route routes[] = {
	{ BASE, HTTP_GET, HTTP_TOKEN, .serve = serve_description },
	{ BASE "/GetInfo", HTTP_GET, HTTP_TOKEN, .serve = serve_info },
	{ BASE "/{method...}", HTTP_GET | HTTP_POST | HTTP_PUT | HTTP_PATCH | HTTP_DELETE, HTTP_TOKEN,
	  .serve = serve, .decode = decode },
};
const struct http_routes http_method_routes = HTTP_ROUTES(routes);
