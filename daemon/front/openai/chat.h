/*
 * A chat completion as OpenAI's clients ask for it, as a request of `Call`; what that answers, as they want
 * it. Pure. The `model` is the name of a config.
 */
#pragma once

#include "daemon/front/http/json_maker.h"
#include "proto/fault/fault.h"

struct chat_request {
	json_object *parameters; // of Call; the caller puts it
	bool stream;
	bool include_usage; // in a chunk of its own behind the stream
	bool whole; // a stream that is sent at once: what is checked against a schema may be asked for again
};

/* 0, or the fault's code: InvalidParameter, Unsupported for what would change the answer and has no
 * counterpart, Internal without memory. */
int chat_request_read(json_object *body, struct chat_request *ret_request, struct fault *fault);

/* What the answers to one request have in common. */
struct chat_answer {
	struct json_maker maker;
	char id[40]; // "chatcmpl-ID", of the task
	int64_t created; // seconds
	const char *model; // as it was asked for
	json_object *tool_ids; // of the calls that a stream has begun, in their order; or NULL
};

/* `result` is a CallResult. */
json_object *chat_completion(struct chat_answer *answer, json_object *result);
/* A chunk with what a CallDelta brought; `first` says who speaks as well. */
json_object *chat_delta_chunk(struct chat_answer *answer, json_object *delta, bool first);
/* The whole of a CallResult as a delta. */
json_object *chat_whole_chunk(struct chat_answer *answer, json_object *result);
/* Why it ended; and, asked for, what it took. */
json_object *chat_last_chunk(struct chat_answer *answer, json_object *result);
json_object *chat_usage_chunk(struct chat_answer *answer, json_object *result);

/* An error as these clients want it. */
json_object *chat_error(struct json_maker *maker, int status, const struct fault *fault);
/* What a task ended with, which is no SUCCESS; *ret_status is that of HTTP. */
void chat_task_fault(json_object *task, struct fault *fault, int *ret_status);
