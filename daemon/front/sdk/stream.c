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
static int make_progress(struct answer *answer, bool continues, char **ret_text, size_t *ret_size)
{
	struct json_maker maker = { 0 };
	json_object *reply = NULL, *task, *progress;
	const char *text;
	int r = http_answer_object(answer, &reply), n = -1;

	(void)continues;
	if (r < 0)
		return r;
	task = member(reply, "event") ? member(reply, "event") : member(reply, "task");
	progress = sdk_progress(&maker, task, /* poll= */ false);
	text = maker.failed ? NULL : json_text(progress, NULL);
	if (text)
		n = asprintf(ret_text, "id: %lld\ndata: %s\n\n", (long long)member_int(task, "sequence", 0), text);
	*ret_size = (size_t)n;
	json_object_put(progress);
	json_object_put(reply);
	return n < 0 ? -ENOMEM : 0;
}

/* The first terminal state is the last that is told. */
static bool is_terminal(const struct answer *answer)
{
	const struct ellu_task_event *event = record_member(answer->type, answer->record, "event");
	const struct ellu_task *task = record_member(answer->type, answer->record, "task");
	int status = task_status_from_name(event ? event->status : task ? task->status : "");

	return status >= 0 && task_status_is_terminal(status);
}

static int on_answer(struct http_call *call, struct answer *answer, bool continues)
{
	int r;

	if (!call->exchange->begun)
		http_stream_begin(call->exchange, 200, EVENT_STREAM, HEARTBEAT);
	r = http_stream_tell(call, answer, continues, REPLY_PROGRESS, make_progress);
	if (r >= 0 && (!continues || is_terminal(answer)))
		http_stream_end(call->exchange);
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
