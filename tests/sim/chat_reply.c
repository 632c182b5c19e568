#include "tests/sim/chat_reply.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/simulated_text.h"
#include "tests/sim/http_conn.h"
#include "tests/sim/recorded.h"

static const struct {
	int status;
	const char *message, *type, *code;
	bool retry_after;
} refusals[] = {
	[CHAT_REFUSAL_KEY] = { 401, "Incorrect API key provided.", "invalid_request_error",
			       "invalid_api_key", false },
	[CHAT_REFUSAL_RATE] = { 429, "Rate limit reached for requests.", "requests",
				"rate_limit_exceeded", true },
	[CHAT_REFUSAL_CONCURRENCY] = { 429, "Too many requests at once.", "requests",
				       "concurrency_limit_exceeded", true },
	[CHAT_REFUSAL_REQUEST] = { 400, "Invalid request.", "invalid_request_error", NULL, false },
	[CHAT_REFUSAL_MODEL] = { 404, "The model does not exist or you do not have access to it.",
				 "invalid_request_error", "model_not_found", false },
	[CHAT_REFUSAL_SCHEMA] = { 400,
				  "Invalid parameter: 'response_format' of type 'json_schema' is not "
				  "supported with this model.",
				  "invalid_request_error", NULL, false },
	[CHAT_REFUSAL_MAX_TOKENS] = { 400,
				      "Unsupported parameter: 'max_tokens' is not supported with this "
				      "model. Use 'max_completion_tokens' instead.",
				      "invalid_request_error", "unsupported_parameter", false },
	[CHAT_REFUSAL_CONTENT_FILTER] = { 400,
					  "The response was filtered due to the content management "
					  "policy.",
					  "invalid_request_error", "content_filter", false },
	[CHAT_REFUSAL_CONTEXT_LENGTH] = { 400,
					  "This model's maximum context length is 8 tokens. Please "
					  "reduce the length of the messages.",
					  "invalid_request_error", "context_length_exceeded", false },
	[CHAT_REFUSAL_ERROR_500] = { 500, "The server had an error while processing your request.",
				     "server_error", NULL, false },
	[CHAT_REFUSAL_ERROR_503] = { 503, "The engine is currently overloaded.", "server_error",
				     "overloaded", true },
};
_Static_assert(sizeof(refusals) / sizeof(*refusals) == _CHAT_REFUSAL_MAX, "every refusal is told");

void chat_reply_done(struct chat_reply *reply)
{
	bytes_done(&reply->out);
}

static void put(struct chat_reply *reply, int status, const char *content_type, const char *headers,
		struct span body)
{
	http_head(&reply->out, status, content_type, headers, body.size);
	reply->head_size = reply->out.size;
	bytes_append(&reply->out, body.data, body.size);
	reply->status = status;
}

void chat_reply_refuse(struct chat_reply *reply, const struct behaviour *behaviour,
		       enum chat_refusal refusal, const char *message)
{
	const struct chat_dialect *dialect = reply->dialect;
	struct chat_problem problem = {
		.status = refusals[refusal].status,
		.message = message ? message : refusals[refusal].message,
		.type = refusals[refusal].type,
		.code = refusals[refusal].code,
		.wait_seconds = refusals[refusal].retry_after ? behaviour->retry_after_seconds : 0,
	};
	double wait_seconds = dialect->waits_in_body ? 0 : problem.wait_seconds;
	struct bytes body = { 0 }, headers = { 0 };
	int status;

	if (!message && refusal == CHAT_REFUSAL_SCHEMA && dialect->no_schema)
		problem.message = dialect->no_schema;
	status = dialect->write_problem(&body, &problem);
	/* The standard header knows whole seconds only; the other is what OpenAI adds. */
	if (wait_seconds > 0)
		bytes_printf(&headers, "Retry-After: %.0f\r\n", ceil(wait_seconds));
	if (wait_seconds > floor(wait_seconds))
		bytes_printf(&headers, "retry-after-ms: %.0f\r\n", ceil(wait_seconds * 1000));
	if (dialect->write_problem_header)
		dialect->write_problem_header(&headers, status);
	bytes_append(&headers, "", 1);
	put(reply, status, "application/json", headers.data,
	    (struct span) { body.data, body.size });
	bytes_done(&headers);
	bytes_done(&body);
}

/* Takes the answer that was recorded; false with a message when there is none. */
static bool find_recorded(const char *path, struct chat_request *chat, struct bytes *error)
{
	char id[SHA256_TEXT_SIZE];

	recorded_id(chat, id);
	chat->recorded = recorded_answer(path, id);
	if (!chat->recorded)
		bytes_printf(error, "no answer is recorded for %s", id);
	return chat->recorded;
}

bool chat_reply_accepts(struct chat_reply *reply, const struct behaviour *behaviour,
			struct span body, const struct chat_wanted *wanted,
			struct chat_request *ret_chat)
{
	struct bytes error = { 0 };
	bool ok = chat_request_parse(body, wanted, ret_chat, &error) &&
		  (!behaviour->recorded_answers ||
		   find_recorded(behaviour->recorded_answers, ret_chat, &error));

	if (!ok) {
		bytes_append(&error, "", 1);
		chat_reply_refuse(reply, behaviour, CHAT_REFUSAL_REQUEST, error.data);
	} else if (behaviour->model && strcmp(behaviour->model, ret_chat->model) != 0) {
		chat_reply_refuse(reply, behaviour, CHAT_REFUSAL_MODEL, NULL);
		ok = false;
	} else if (behaviour->refuse_schema && ret_chat->format == CHAT_JSON_SCHEMA) {
		chat_reply_refuse(reply, behaviour, CHAT_REFUSAL_SCHEMA, NULL);
		ok = false;
	} else if (behaviour->need_max_completion_tokens && ret_chat->has_max_tokens) {
		chat_reply_refuse(reply, behaviour, CHAT_REFUSAL_MAX_TOKENS, NULL);
		ok = false;
	}
	bytes_done(&error);
	return ok;
}

/* Of two texts with a " ~ " between them. */
static const char *prefer(const char *text, const struct chat_request *chat)
{
	const char *last = chat->n_contents > 0 ? chat->contents[chat->n_contents - 1] : "";
	const char *cut = strstr(last, " ~ "), *found = strstr(last, text);
	bool before = cut && found && found < cut, behind = cut && strstr(cut, text);

	return before == behind ? "{\"justification\":\"no matter\",\"score\":0.5}" :
	       before ? "{\"justification\":\"so\",\"score\":1}" : "{\"justification\":\"no\",\"score\":0}";
}

/* What the model says: what it once did, a preference, a verdict, the fixed answer, a document, or plain text. */
static void make_text(const struct behaviour *behaviour, const struct chat_request *chat,
		      uint64_t number, struct bytes *out, struct chat_answer *answer)
{
	bool judge = simulated_is_judge(chat->contents, chat->n_contents);
	bool fixed = behaviour->fixed_answer &&
		     (behaviour->fixed_until == 0 || (int64_t)number <= behaviour->fixed_until);
	char *text;

	if (simulated_answer(chat->contents, chat->n_contents, behaviour->seed,
			     behaviour_bad_verdict_rate(behaviour, number), &text,
			     &answer->input_tokens, &answer->output_tokens) < 0)
		text = must_have(NULL);
	if (chat->recorded) {
		bytes_text(out, chat->recorded);
	} else if (!judge && behaviour->preferred_text) {
		bytes_text(out, prefer(behaviour->preferred_text, chat));
	} else if (!judge && fixed) {
		bytes_text(out, behaviour->fixed_answer);
		answer->output_tokens = simulated_tokens(behaviour->fixed_answer);
	} else if (chat->format != CHAT_TEXT &&
		   !simulated_has_form(chat->contents, chat->n_contents)) {
		chat_structured_text(chat->schema, text, out);
	} else {
		bytes_text(out, text);
	}
	free(text);
}

static enum chat_finish finish_of(const char *word)
{
	static const char *const words[] = {
		[CHAT_LENGTH] = "length", [CHAT_FILTER] = "filter", [CHAT_REFUSAL] = "refusal",
	};

	for (size_t i = CHAT_LENGTH; word && i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(word, words[i]) == 0)
			return (enum chat_finish) i;
	return CHAT_STOP;
}

/* If one is to be, a tool is called instead of an answer. */
static void call_tool(const struct behaviour *behaviour, const struct chat_request *chat,
		      struct bytes *arguments, struct chat_answer *answer)
{
	const struct chat_tool *tool;

	if (!behaviour->call_tools || chat->n_tools == 0 ||
	    (chat->after_tools && (chat->n_rounds == 0 || chat->n_rounds >= behaviour->tool_rounds)))
		return;
	tool = &chat->tools[(size_t) chat->n_rounds % chat->n_tools];
	chat_structured_text(tool->schema, "some words", arguments);
	answer->tool = tool->name;
	answer->tool_times = behaviour->tool_times;
	answer->arguments = (struct span) { arguments->data, arguments->size };
	answer->finish = CHAT_TOOLS;
}

static void make_vectors(const struct behaviour *behaviour, const struct chat_request *chat, enum fault fault,
			 struct bytes *out)
{
	struct chat_vectors vectors = {
		.model = chat->model,
		.texts = chat->contents,
		.n_texts = fault == FAULT_EMPTY ? 0 : chat->n_contents,
		.n_dimensions = chat->n_dimensions ? chat->n_dimensions : SIMULATED_DIMENSIONS,
		.seed = behaviour->seed,
		.usage = !behaviour->no_usage,
	};

	for (size_t i = 0; i < vectors.n_texts; i++)
		vectors.input_tokens += simulated_tokens(vectors.texts[i]);
	chat->dialect->vectors->write(out, &vectors);
	if (fault == FAULT_TRUNCATED_JSON)
		out->size /= 2;
}

/* The body of a 200, as the fault wants it, in the form that was asked for. */
static void make_body(const struct behaviour *behaviour, const struct chat_request *chat,
		      uint64_t number, enum fault fault, struct bytes *out)
{
	static const char garbage[] = " \xff\xfe\xc3(\0\xed\xa0\x80 end";
	struct chat_answer answer = {
		.number = number,
		.model = chat->model,
		.form_tool = chat->form_tool,
		.finish = finish_of(behaviour->finish),
		.usage = !behaviour->no_usage,
	};
	struct bytes text = { 0 }, arguments = { 0 };

	if (fault == FAULT_WRONG_JSON) {
		bytes_text(out, "{\"result\":[1,2,3],\"choices\":\"none\"}");
		return;
	}
	if (chat->wants_vectors) {
		make_vectors(behaviour, chat, fault, out);
		return;
	}
	make_text(behaviour, chat, number, &text, &answer);
	answer.cached_tokens = answer.input_tokens < behaviour->cached_tokens ? answer.input_tokens :
										 behaviour->cached_tokens;
	if (fault == FAULT_EMPTY) {
		bytes_clear(&text);
		answer.finish = CHAT_LENGTH;
	}
	if (fault == FAULT_UTF8_GARBAGE)
		bytes_append(&text, garbage, sizeof(garbage) - 1);
	answer.text = (struct span) { text.data, text.size };
	if (fault == FAULT_NONE)
		call_tool(behaviour, chat, &arguments, &answer);
	if (chat->stream && fault != FAULT_TRUNCATED_JSON)
		chat->dialect->write_stream(out, &answer, chat->include_usage);
	else
		chat->dialect->write(out, &answer);
	bytes_done(&arguments);
	bytes_done(&text);
	if (fault == FAULT_TRUNCATED_JSON)
		out->size /= 2;
}

/* The events in the chunks of a body, one behind the other. */
static void take_chunks(struct span body, struct bytes *out)
{
	while (body.size > 0) {
		char *data;
		size_t size = strtoul(body.data, &data, 16);
		size_t whole = (size_t) (data - body.data) + 2 + size + 2;

		bytes_append(out, data + 2, size);
		body.data += whole;
		body.size -= whole;
	}
}

/* Chunks of that size, whatever is in them, up to the last one. */
static void put_chunks(struct bytes *out, struct span data, size_t size)
{
	while (data.size > 0) {
		size_t n = data.size < size ? data.size : size;

		bytes_printf(out, "%zx\r\n", n);
		bytes_append(out, data.data, n);
		bytes_text(out, "\r\n");
		data.data += n;
		data.size -= n;
	}
	bytes_text(out, "0\r\n\r\n");
}

/* As other servers write the same lines. */
static void put_crlf(struct span lines, struct bytes *out)
{
	for (size_t i = 0; i < lines.size; i++) {
		if (lines.data[i] == '\n')
			bytes_text(out, "\r");
		bytes_append(out, lines.data + i, 1);
	}
}

static void cut_otherwise(const struct chat_dialect *dialect, const struct behaviour *behaviour,
			  struct bytes *body)
{
	struct bytes events = { 0 }, lines = { 0 };
	struct span data;

	if (!behaviour->stream_crlf && behaviour->stream_chunk_bytes == 0)
		return;
	take_chunks((struct span) { body->data, body->size }, &events);
	if (behaviour->stream_crlf && !dialect->write_event)
		put_crlf((struct span) { events.data, events.size }, &lines);
	else
		bytes_append(&lines, events.data, events.size);
	data = (struct span) { lines.data, lines.size };
	bytes_clear(body);
	put_chunks(body, data, behaviour->stream_chunk_bytes ? (size_t) behaviour->stream_chunk_bytes :
							       data.size);
	bytes_done(&events);
	bytes_done(&lines);
}

/* Where the chunk ends in which half of them is. */
static size_t half_of(struct span chunks)
{
	size_t at = 0;

	while (at < chunks.size / 2) {
		char *data;
		size_t size = strtoul(chunks.data + at, &data, 16);

		at = (size_t) (data - chunks.data) + 2 + size + 2;
	}
	return at;
}

static void break_off(const struct chat_dialect *dialect, struct bytes *body)
{
	static const struct chat_problem problem = { 500, "The engine has stopped.", "server_error",
						     NULL, 0 };
	struct bytes event = { 0 };

	body->size = half_of((struct span) { body->data, body->size });
	(void) dialect->write_problem(&event, &problem);
	if (dialect->write_event)
		dialect->write_event(body, "internalServerException", &event);
	else
		chat_write_event(body, "error", &event);
	chat_write_stream_end(body, /* done= */ false);
	bytes_done(&event);
}

static void make_stream(struct chat_reply *reply, const struct behaviour *behaviour,
			enum fault fault, struct bytes *body)
{
	const struct chat_dialect *dialect = reply->dialect;

	if (fault == FAULT_STREAM_ERROR)
		break_off(dialect, body);
	if (fault != FAULT_WRONG_JSON && fault != FAULT_TRUNCATED_JSON)
		cut_otherwise(dialect, behaviour, body);
	bytes_printf(&reply->out, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
		     "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n",
		     dialect->stream_type ? dialect->stream_type : "text/event-stream");
	reply->head_size = reply->out.size;
	reply->status = 200;
	reply->is_stream = true;
	if (fault == FAULT_WRONG_JSON || fault == FAULT_TRUNCATED_JSON) {
		(dialect->write_event ? dialect->write_event : chat_write_event)(&reply->out, NULL, body);
		chat_write_stream_end(&reply->out, /* done= */ !dialect->write_event);
	} else {
		bytes_append(&reply->out, body->data, body->size);
	}
}

static void make_garbage(struct chat_reply *reply)
{
	static const char garbage[] = "\x15\x03\x01\0\x02\x02(\x7f these bytes are no HTTP\r\n\r\n\0\xff";

	bytes_append(&reply->out, garbage, sizeof(garbage) - 1);
	reply->status = 0;
	reply->close = true;
}

static bool make_error(struct chat_reply *reply, const struct behaviour *behaviour, enum fault fault)
{
	static const struct {
		enum fault fault;
		enum chat_refusal refusal;
	} errors[] = {
		{ FAULT_ERROR_500, CHAT_REFUSAL_ERROR_500 },
		{ FAULT_ERROR_503, CHAT_REFUSAL_ERROR_503 },
		{ FAULT_CONTENT_FILTER, CHAT_REFUSAL_CONTENT_FILTER },
		{ FAULT_CONTEXT_LENGTH, CHAT_REFUSAL_CONTEXT_LENGTH },
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (errors[i].fault == fault) {
			chat_reply_refuse(reply, behaviour, errors[i].refusal, NULL);
			return true;
		}
	return false;
}

void chat_reply_make(struct chat_reply *reply, const struct behaviour *behaviour,
		     const struct chat_request *chat, uint64_t number, enum fault fault)
{
	struct bytes body = { 0 };

	if (!chat->stream && fault == FAULT_STREAM_ERROR)
		fault = FAULT_ERROR_500;
	if (!chat->stream && fault == FAULT_STREAM_STALL)
		fault = FAULT_HANG;
	if (make_error(reply, behaviour, fault))
		return;
	if (fault == FAULT_RESET || fault == FAULT_HANG) {
		reply->play = fault == FAULT_RESET ? CHAT_PLAY_RESET : CHAT_PLAY_NOTHING;
		return;
	}
	if (fault == FAULT_GARBAGE) {
		make_garbage(reply);
		return;
	}
	if (fault == FAULT_WRONG_TYPE) {
		put(reply, 200, "text/html", "",
		    span_of("<!DOCTYPE html>\n<html><body><h1>Sign in to continue</h1></body></html>\n"));
		return;
	}
	make_body(behaviour, chat, number, fault, &body);
	if (chat->stream)
		make_stream(reply, behaviour, fault, &body);
	else
		put(reply, 200, "application/json", "", (struct span) { body.data, body.size });
	bytes_done(&body);
	reply->correct = fault != FAULT_WRONG_JSON && fault != FAULT_TRUNCATED_JSON &&
			 fault != FAULT_STREAM_ERROR && !(chat->wants_vectors && fault == FAULT_EMPTY);
	if (fault == FAULT_STREAM_STALL)
		reply->play = CHAT_PLAY_STALL;
	if (fault == FAULT_SLOW_HEADER)
		reply->play = CHAT_PLAY_SLOW_HEAD;
	if (fault == FAULT_HALF_BODY) {
		reply->play = CHAT_PLAY_HALF;
		reply->correct = false;
		reply->status = 0;
		reply->close = true;
	}
}

size_t chat_reply_end(const struct chat_reply *reply)
{
	if (reply->play == CHAT_PLAY_HALF || reply->play == CHAT_PLAY_STALL)
		return reply->head_size + (reply->out.size - reply->head_size) / 2;
	return reply->out.size;
}

size_t chat_reply_event_end(const struct chat_reply *reply, size_t from)
{
	const char *start = reply->out.data + (from < reply->head_size ? reply->head_size : from);
	const char *end = reply->out.data + reply->out.size;
	const char *line_end = memmem(start, (size_t) (end - start), "\r\n", 2);
	size_t size = 0;

	for (const char *digit = start; line_end && digit < line_end; digit++)
		size = size * 16 + (size_t) (*digit <= '9' ? *digit - '0' : *digit - 'a' + 10);
	if (!line_end || size == 0 || size + 4 > (size_t) (end - line_end))
		return reply->out.size;
	return (size_t) (line_end + 2 + size + 2 - reply->out.data);
}
