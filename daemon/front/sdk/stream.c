#include "daemon/front/sdk/stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/sdk/shape.h"
#include "elluminate-types.h"
#include "proto/generated/interface.h"
#include "proto/record/record.h"
#include "proto/task_status.h"

#define EVENT_STREAM "text/event-stream"
#define HEARTBEAT ": still here\n\n"
#define INTERVAL_MIN 0.1
#define INTERVAL_MAX 10.0

/* One reply: the task, or an event of it. Its id is where a broken stream goes on. */
static int send_progress(struct http_exchange *exchange, json_object *task)
{
	struct json_maker maker = { 0 };
	json_object *progress = sdk_progress(&maker, task, /* poll= */ false);
	const char *text = maker.failed ? NULL : json_text(progress, NULL);
	size_t size = text ? strlen(text) + 64 : 0;
	char *event = text ? malloc(size) : NULL;
	int n, room;

	if (!event) {
		json_object_put(progress);
		return -ENOMEM;
	}
	n = snprintf(event, size, "id: %lld\ndata: %s\n\n", (long long)member_int(task, "sequence", 0), text);
	room = http_stream_send(exchange, event, (size_t)n);
	free(event);
	json_object_put(progress);
	return room;
}

static bool is_terminal(json_object *task)
{
	const char *text = member_text(task, "status");
	int status = text ? (int)task_status_from_name(text) : -EINVAL;

	return status >= 0 && task_status_is_terminal(status);
}

static int on_answer(struct http_call *call, struct answer *answer, bool continues)
{
	struct http_exchange *exchange = call->exchange;
	json_object *reply = NULL, *task;
	int r = http_answer_object(answer, &reply);

	if (r < 0)
		return r;
	if (!exchange->begun)
		http_stream_begin(exchange, 200, EVENT_STREAM, HEARTBEAT);
	task = member(reply, "event") ? member(reply, "event") : member(reply, "task");
	r = task ? send_progress(exchange, task) : true;
	/* The first terminal state is the last that is told. */
	if (r >= 0 && (!continues || is_terminal(task)))
		http_stream_end(exchange);
	json_object_put(reply);
	return r;
}

static void on_failure(struct http_call *call, const struct fault *fault)
{
	if (call->exchange->begun)
		http_stream_break(call->exchange);
	else
		http_fail(call->exchange, fault);
}

/* The task of the path: its last segment but one. */
static json_object *watching(struct http_exchange *exchange, struct json_maker *maker, struct fault *fault)
{
	const char *after = http_header(&exchange->head, "last-event-id");
	const char *id = exchange->values[2] ? exchange->values[2] : exchange->values[1];
	json_object *parameters = make_object(maker);
	char *query = exchange->head.query ? arena_strdup(&exchange->arena, exchange->head.query) : NULL;
	char *name, *value;
	double interval;

	put_int(maker, parameters, "id", strtoll(id, NULL, 10));
	if (after)
		put_int(maker, parameters, "after_sequence", strtoll(after, NULL, 10));
	while (query && http_query_next(&query, &name, &value) > 0) {
		if (strcmp(name, "polling_interval") != 0)
			continue;
		interval = strtod(value, NULL);
		if (!(interval >= INTERVAL_MIN && interval <= INTERVAL_MAX))
			fault_invalid(fault, name, "seconds, 0.1 to 10");
		else if (!member(parameters, "min_interval_seconds"))
			put(maker, parameters, "min_interval_seconds", make_float(maker, interval));
	}
	if (!fault->code && maker->failed)
		fault_oom(fault);
	return parameters;
}

void sdk_stream_task(struct http_exchange *exchange)
{
	static const struct http_call how = { .more = true, .answered = on_answer, .failed = on_failure };
	const struct method *method = method_find("org.elluminate.WatchTask");
	struct json_maker maker = { 0 };
	struct fault fault = { 0 };
	json_object *parameters = watching(exchange, &maker, &fault);

	exchange->on_writable = http_calls_writable;
	if (fault.code)
		http_fail(exchange, &fault);
	else
		http_call(exchange, method, parameters, &how);
	json_object_put(parameters);
}
