/* Anthropic's Messages. */
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "tests/sim/chat.h"

/* What tools said are blocks with a content of their own. */
static bool add_content(struct chat_request *request, struct json_object *content)
{
	request->after_tools = false;
	if (!chat_add_text(request, content))
		return false;
	for (size_t i = 0; json_object_is_type(content, json_type_array) &&
			   i < json_object_array_length(content); i++) {
		struct json_object *block = json_object_array_get_idx(content, i);
		const char *type = chat_text_member(block, "type");

		if (!type)
			return false;
		if (strcmp(type, "tool_result") != 0)
			continue;
		request->after_tools = true;
		if (!chat_text_member(block, "tool_use_id") ||
		    !chat_add_text(request, chat_member(block, "content")))
			return false;
	}
	return true;
}

static bool add_message(struct chat_request *request, struct json_object *message)
{
	const char *role = chat_text_member(message, "role");

	if (!role || (strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0))
		return false;
	return add_content(request, chat_member(message, "content"));
}

static bool read_tools(struct chat_request *request, struct bytes *error)
{
	struct json_object *tools = chat_member(request->json, "tools");

	for (size_t i = 0; tools && i < json_object_array_length(tools); i++) {
		struct json_object *tool = json_object_array_get_idx(tools, i);

		if (!chat_text_member(tool, "name") || !chat_member(tool, "input_schema")) {
			bytes_printf(error, "tools.%zu.input_schema: Field required", i);
			return false;
		}
		chat_add_tool(request, chat_text_member(tool, "name"), chat_member(tool, "input_schema"));
	}
	return true;
}

/* The system message stands apart, as a text or as blocks; an answer must be limited. */
static bool read_request(struct chat_request *request, struct bytes *error)
{
	struct json_object *messages = chat_member(request->json, "messages");
	struct json_object *system = chat_member(request->json, "system");
	struct json_object *format = chat_member(chat_member(request->json, "output_config"), "format");

	if (!json_object_is_type(chat_member(request->json, "max_tokens"), json_type_int)) {
		bytes_text(error, "max_tokens: Field required");
		return false;
	}
	if (system && !chat_add_text(request, system)) {
		bytes_text(error, "system: Input should be a valid string or list");
		return false;
	}
	if (!json_object_is_type(messages, json_type_array) ||
	    json_object_array_length(messages) == 0) {
		bytes_text(error, "messages: at least one message is required");
		return false;
	}
	for (size_t i = 0; i < json_object_array_length(messages); i++)
		if (!add_message(request, json_object_array_get_idx(messages, i))) {
			bytes_printf(error, "messages.%zu: not a message", i);
			return false;
		}
	request->stream = json_object_get_boolean(chat_member(request->json, "stream"));
	request->format = format ? CHAT_JSON_SCHEMA : CHAT_TEXT;
	request->schema = chat_member(format, "schema");
	return read_tools(request, error);
}

static const char *finish_of(const struct chat_answer *answer)
{
	static const char *const words[] = {
		[CHAT_STOP] = "end_turn",
		[CHAT_LENGTH] = "max_tokens",
		[CHAT_FILTER] = "refusal",
		[CHAT_REFUSAL] = "refusal",
		[CHAT_TOOLS] = "tool_use",
	};

	return words[answer->finish];
}

static void write_tool(struct bytes *out, const struct chat_answer *answer, struct span input)
{
	bytes_printf(out, "{\"type\":\"tool_use\",\"id\":\"toolu_%" PRIx64 "\",\"name\":",
		     answer->number);
	bytes_json(out, span_of(answer->tool));
	bytes_text(out, ",\"input\":");
	bytes_append(out, input.data, input.size);
	bytes_text(out, "}");
}

static void write_usage(struct bytes *out, const struct chat_answer *answer, int64_t output_tokens)
{
	bytes_text(out, ",\"usage\":{");
	if (answer->usage)
		bytes_printf(out, "\"input_tokens\":%" PRIi64 ",\"output_tokens\":%" PRIi64,
			     answer->input_tokens, output_tokens);
	bytes_text(out, "}");
}

/* As it begins, up to its content. */
static void write_opening(struct bytes *out, const struct chat_answer *answer)
{
	bytes_printf(out, "{\"id\":\"msg_%016" PRIx64 "\",\"type\":\"message\",\"role\":\"assistant\","
		     "\"model\":", answer->number);
	bytes_json(out, span_of(answer->model));
	bytes_text(out, ",\"content\":[");
}

static void write_answer(struct bytes *out, const struct chat_answer *answer)
{
	write_opening(out, answer);
	if (answer->tool) {
		write_tool(out, answer, answer->arguments);
	} else if (answer->text.size > 0) {
		bytes_text(out, "{\"type\":\"text\",\"text\":");
		bytes_json(out, answer->text);
		bytes_text(out, "}");
	}
	bytes_printf(out, "],\"stop_reason\":\"%s\",\"stop_sequence\":null", finish_of(answer));
	write_usage(out, answer, answer->output_tokens);
	bytes_text(out, "}");
}

static void write_stream(struct bytes *out, const struct chat_answer *answer, bool include_usage)
{
	struct span rest = answer->tool ? answer->arguments : answer->text;
	struct bytes event = { 0 };

	(void) include_usage;
	bytes_text(&event, "{\"type\":\"message_start\",\"message\":");
	write_opening(&event, answer);
	bytes_text(&event, "],\"stop_reason\":null,\"stop_sequence\":null");
	write_usage(&event, answer, 1);
	bytes_text(&event, "}}");
	chat_write_event(out, "message_start", &event);
	bytes_text(&event, "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":");
	if (answer->tool)
		write_tool(&event, answer, span_of("{}"));
	else
		bytes_text(&event, "{\"type\":\"text\",\"text\":\"\"}");
	bytes_text(&event, "}");
	chat_write_event(out, "content_block_start", &event);
	bytes_text(&event, "{\"type\":\"ping\"}");
	chat_write_event(out, "ping", &event);
	while (rest.size > 0) {
		bytes_printf(&event, "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":%s:",
			     answer->tool ? "\"input_json_delta\",\"partial_json\"" :
					    "\"text_delta\",\"text\"");
		bytes_json(&event, chat_take_piece(&rest));
		bytes_text(&event, "}}");
		chat_write_event(out, "content_block_delta", &event);
	}
	bytes_text(&event, "{\"type\":\"content_block_stop\",\"index\":0}");
	chat_write_event(out, "content_block_stop", &event);
	bytes_printf(&event, "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\","
		     "\"stop_sequence\":null}", finish_of(answer));
	write_usage(&event, answer, answer->output_tokens);
	bytes_text(&event, "}");
	chat_write_event(out, "message_delta", &event);
	bytes_text(&event, "{\"type\":\"message_stop\"}");
	chat_write_event(out, "message_stop", &event);
	chat_write_stream_end(out, /* done= */ false);
	bytes_done(&event);
}

static int write_problem(struct bytes *out, const struct chat_problem *problem)
{
	const char *type = problem->status == 401 ? "authentication_error" :
			   problem->status == 404 ? "not_found_error" :
			   problem->status == 429 ? "rate_limit_error" :
			   problem->status == 503 ? "overloaded_error" :
			   problem->status >= 500 ? "api_error" : "invalid_request_error";

	bytes_printf(out, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":", type);
	bytes_json(out, span_of(problem->message));
	bytes_text(out, "},\"request_id\":\"req_simulated\"}");
	return problem->status;
}

const struct chat_dialect chat_anthropic = {
	.path = "/v1/messages",
	.key_header = "x-api-key",
	.bearer_too = true,
	.wanted_header = "anthropic-version",
	.no_schema = "output_config.format: not supported by this model",
	.read = read_request,
	.write = write_answer,
	.write_stream = write_stream,
	.write_problem = write_problem,
};
