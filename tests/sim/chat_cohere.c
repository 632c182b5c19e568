/* Cohere's second chat interface. */
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "tests/sim/chat.h"

/* Members that it knows; others it refuses. */
static const char *const known[] = {
	"model", "messages", "stream", "max_tokens", "temperature", "p", "k", "seed", "stop_sequences",
	"frequency_penalty", "presence_penalty", "logprobs", "thinking", "tools", "strict_tools",
	"tool_choice", "response_format", "documents", "citation_options", "safety_mode", "priority",
};

static bool is_known(const char *name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(name, known[i]) == 0)
			return true;
	return false;
}

static bool add_message(struct chat_request *request, struct json_object *message)
{
	const char *role = chat_text_member(message, "role");
	struct json_object *content = chat_member(message, "content");

	if (!role)
		return false;
	request->after_tools = strcmp(role, "tool") == 0;
	return !content || chat_add_text(request, content);
}

static bool read_tools(struct chat_request *request, struct bytes *error)
{
	struct json_object *tools = chat_member(request->json, "tools");
	const char *choice = chat_text_member(request->json, "tool_choice");

	for (size_t i = 0; tools && i < json_object_array_length(tools); i++) {
		struct json_object *function =
			chat_member(json_object_array_get_idx(tools, i), "function");

		if (!chat_text_member(function, "name") || !chat_member(function, "parameters")) {
			bytes_printf(error, "invalid request: tools[%zu] is no function", i);
			return false;
		}
		chat_add_tool(request, chat_text_member(function, "name"),
			      chat_member(function, "parameters"));
	}
	if (!choice || strcmp(choice, "REQUIRED") == 0 || strcmp(choice, "NONE") == 0)
		return true;
	bytes_text(error, "invalid request: tool_choice must be REQUIRED or NONE");
	return false;
}

static bool read_request(struct chat_request *request, struct bytes *error)
{
	struct json_object *messages = chat_member(request->json, "messages");
	struct json_object *format = chat_member(request->json, "response_format");

	json_object_object_foreach(request->json, name, value) {
		(void) value;
		if (!is_known(name)) {
			bytes_printf(error, "invalid request: unknown field: parameter '%s' is not a valid "
				     "field", name);
			return false;
		}
	}
	if (!json_object_is_type(messages, json_type_array) ||
	    json_object_array_length(messages) == 0) {
		bytes_text(error, "invalid request: messages must not be empty");
		return false;
	}
	for (size_t i = 0; i < json_object_array_length(messages); i++)
		if (!add_message(request, json_object_array_get_idx(messages, i))) {
			bytes_printf(error, "invalid request: messages[%zu] is no message", i);
			return false;
		}
	request->stream = json_object_get_boolean(chat_member(request->json, "stream"));
	request->schema = chat_member(format, "json_schema");
	request->format = request->schema ? CHAT_JSON_SCHEMA : format ? CHAT_JSON_OBJECT : CHAT_TEXT;
	return read_tools(request, error);
}

static const char *finish_of(const struct chat_answer *answer)
{
	static const char *const words[] = {
		[CHAT_STOP] = "COMPLETE",
		[CHAT_LENGTH] = "MAX_TOKENS",
		[CHAT_FILTER] = "ERROR_TOXIC",
		[CHAT_REFUSAL] = "COMPLETE",
		[CHAT_TOOLS] = "TOOL_CALL",
	};

	return words[answer->finish];
}

static void write_tool_call(struct bytes *out, const struct chat_answer *answer, struct span arguments)
{
	bytes_printf(out, "{\"id\":\"tool_%" PRIx64 "\",\"type\":\"function\",\"function\":{\"name\":",
		     answer->number);
	bytes_json(out, span_of(answer->tool));
	bytes_text(out, ",\"arguments\":");
	bytes_json(out, arguments);
	bytes_text(out, "}}");
}

static void write_end(struct bytes *out, const struct chat_answer *answer)
{
	bytes_printf(out, "\"finish_reason\":\"%s\"", finish_of(answer));
	if (answer->usage)
		bytes_printf(out, ",\"usage\":{\"billed_units\":{\"input_tokens\":%" PRIi64
			     ",\"output_tokens\":%" PRIi64 "},\"tokens\":{\"input_tokens\":%" PRIi64
			     ",\"output_tokens\":%" PRIi64 "}}", answer->input_tokens,
			     answer->output_tokens, answer->input_tokens, answer->output_tokens);
}

static void write_answer(struct bytes *out, const struct chat_answer *answer)
{
	bytes_printf(out, "{\"id\":\"c-%016" PRIx64 "\",\"message\":{\"role\":\"assistant\",",
		     answer->number);
	if (answer->tool) {
		bytes_text(out, "\"tool_plan\":\"I will ask.\",\"tool_calls\":[");
		write_tool_call(out, answer, answer->arguments);
		bytes_text(out, "]},");
	} else {
		bytes_text(out, "\"content\":[{\"type\":\"text\",\"text\":");
		bytes_json(out, answer->text);
		bytes_text(out, "}]},");
	}
	write_end(out, answer);
	bytes_text(out, "}");
}

/* `{type, index, delta: {message: …}}`, which the caller writes up to the closing of the message. */
static void write_delta(struct bytes *out, const char *type, struct bytes *message)
{
	struct bytes event = { 0 };

	bytes_printf(&event, "{\"type\":\"%s\",\"index\":0,\"delta\":{\"message\":{%.*s}}}", type,
		     (int) message->size, message->data);
	chat_write_event(out, type, &event);
	bytes_done(&event);
	bytes_clear(message);
}

static void write_text(struct bytes *out, const struct chat_answer *answer, struct bytes *data)
{
	struct span rest = answer->text;

	bytes_text(data, "\"content\":{\"type\":\"text\",\"text\":\"\"}");
	write_delta(out, "content-start", data);
	while (rest.size > 0) {
		bytes_text(data, "\"content\":{\"text\":");
		bytes_json(data, chat_take_piece(&rest));
		bytes_text(data, "}");
		write_delta(out, "content-delta", data);
	}
	bytes_text(data, "{\"type\":\"content-end\",\"index\":0}");
	chat_write_event(out, "content-end", data);
}

static void write_tool(struct bytes *out, const struct chat_answer *answer, struct bytes *data)
{
	struct span rest = answer->arguments;

	bytes_text(data, "\"tool_plan\":\"I will ask.\"");
	write_delta(out, "tool-plan-delta", data);
	bytes_text(data, "\"tool_calls\":");
	write_tool_call(data, answer, span_of(""));
	write_delta(out, "tool-call-start", data);
	while (rest.size > 0) {
		bytes_text(data, "\"tool_calls\":{\"function\":{\"arguments\":");
		bytes_json(data, chat_take_piece(&rest));
		bytes_text(data, "}}");
		write_delta(out, "tool-call-delta", data);
	}
	bytes_text(data, "{\"type\":\"tool-call-end\",\"index\":0}");
	chat_write_event(out, "tool-call-end", data);
}

static void write_stream(struct bytes *out, const struct chat_answer *answer, bool include_usage)
{
	struct bytes data = { 0 };

	(void) include_usage;
	bytes_printf(&data, "{\"id\":\"c-%016" PRIx64 "\",\"type\":\"message-start\",\"delta\":{\"message\":"
		     "{\"role\":\"assistant\"}}}", answer->number);
	chat_write_event(out, "message-start", &data);
	if (answer->tool)
		write_tool(out, answer, &data);
	else
		write_text(out, answer, &data);
	bytes_text(&data, "{\"type\":\"message-end\",\"delta\":{");
	write_end(&data, answer);
	bytes_text(&data, "}}");
	chat_write_event(out, "message-end", &data);
	chat_write_stream_end(out, /* done= */ false);
	bytes_done(&data);
}

static int write_problem(struct bytes *out, const struct chat_problem *problem)
{
	bytes_text(out, "{\"id\":\"simulated\",\"message\":");
	bytes_json(out, span_of(problem->message));
	bytes_text(out, "}");
	return problem->status;
}

const struct chat_dialect chat_cohere = {
	.path = "/v2/chat",
	.vectors = &chat_vectors_cohere,
	.no_schema = "response_format: json_schema is not supported with this model",
	.read = read_request,
	.write = write_answer,
	.write_stream = write_stream,
	.write_problem = write_problem,
};
