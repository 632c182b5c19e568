/* Chat completions: OpenAI's, and what Azure and Mistral made of them. */
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "tests/sim/chat.h"

static bool add_message(struct chat_request *request, struct json_object *message)
{
	const char *role = chat_text_member(message, "role");
	struct json_object *content = chat_member(message, "content");

	if (!json_object_is_type(message, json_type_object) || !role)
		return false;
	request->n_rounds += strcmp(role, "tool") == 0 && !request->after_tools;
	request->after_tools = strcmp(role, "tool") == 0;
	return !content || chat_add_text(request, content);
}

static void read_format(struct chat_request *request)
{
	struct json_object *format = chat_member(request->json, "response_format");
	const char *type = chat_text_member(format, "type");

	if (type && strcmp(type, "json_object") == 0)
		request->format = CHAT_JSON_OBJECT;
	if (!type || strcmp(type, "json_schema") != 0)
		return;
	request->format = CHAT_JSON_SCHEMA;
	request->schema = chat_member(chat_member(format, "json_schema"), "schema");
}

static bool read_tools(struct chat_request *request, struct bytes *error)
{
	struct json_object *tools = chat_member(request->json, "tools");

	for (size_t i = 0; tools && i < json_object_array_length(tools); i++) {
		struct json_object *tool = json_object_array_get_idx(tools, i);
		struct json_object *function = chat_member(tool, "function");

		if (!chat_text_member(function, "name")) {
			bytes_printf(error, "'tools[%zu]' is not a function with a name", i);
			return false;
		}
		chat_add_tool(request, chat_text_member(function, "name"),
			      chat_member(function, "parameters"));
	}
	return true;
}

static bool true_member(struct json_object *object, const char *name)
{
	struct json_object *value = chat_member(object, name);

	return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

static bool read_request(struct chat_request *request, struct bytes *error)
{
	struct json_object *messages = chat_member(request->json, "messages");

	if (!json_object_is_type(messages, json_type_array) ||
	    json_object_array_length(messages) == 0) {
		bytes_text(error, "'messages' must be a non-empty array");
		return false;
	}
	for (size_t i = 0; i < json_object_array_length(messages); i++)
		if (!add_message(request, json_object_array_get_idx(messages, i))) {
			bytes_printf(error, "'messages[%zu]' is not a message", i);
			return false;
		}
	request->stream = true_member(request->json, "stream");
	request->include_usage =
		true_member(chat_member(request->json, "stream_options"), "include_usage");
	request->has_max_tokens = chat_member(request->json, "max_tokens");
	read_format(request);
	return read_tools(request, error);
}

/* What it does not know, it does not ignore. */
static bool read_mistral(struct chat_request *request, struct bytes *error)
{
	static const char *const unknown[] = { "seed", "max_completion_tokens", "top_k",
					       "stream_options" };
	const char *choice = chat_text_member(request->json, "tool_choice");

	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		if (chat_member(request->json, unknown[i])) {
			bytes_printf(error, "%s: Extra inputs are not permitted", unknown[i]);
			return false;
		}
	if (choice && strcmp(choice, "required") == 0) {
		bytes_text(error, "tool_choice: Input should be 'auto', 'none' or 'any'");
		return false;
	}
	if (!read_request(request, error))
		return false;
	request->include_usage = true; /* unasked */
	return true;
}

static void write_opening(struct bytes *out, const struct chat_answer *answer, const char *object)
{
	bytes_printf(out, "{\"id\":\"chatcmpl-%016" PRIx64 "\",\"object\":\"%s\",\"created\":%lld,\"model\":",
		     answer->number, object, (long long) time(NULL));
	bytes_json(out, span_of(answer->model));
}

static void write_usage(struct bytes *out, const struct chat_answer *answer)
{
	bytes_printf(out,
		     ",\"usage\":{\"prompt_tokens\":%" PRIi64 ",\"completion_tokens\":%" PRIi64
		     ",\"total_tokens\":%" PRIi64,
		     answer->input_tokens, answer->output_tokens,
		     answer->input_tokens + answer->output_tokens);
	if (answer->cached_tokens)
		bytes_printf(out, ",\"prompt_tokens_details\":{\"cached_tokens\":%" PRIi64 "}",
			     answer->cached_tokens);
	bytes_text(out, "}");
}

static const char *finish_of(const struct chat_answer *answer)
{
	static const char *const words[] = {
		[CHAT_STOP] = "stop",
		[CHAT_LENGTH] = "length",
		[CHAT_FILTER] = "content_filter",
		[CHAT_REFUSAL] = "stop",
		[CHAT_TOOLS] = "tool_calls",
	};

	return words[answer->finish];
}

/* The member that the text is. */
static const char *text_name(const struct chat_answer *answer)
{
	return answer->finish == CHAT_REFUSAL ? "refusal" : "content";
}

/* Members of a message or, with their numbers, a delta. */
static void write_tool_calls(struct bytes *out, const struct chat_answer *answer, bool delta)
{
	bytes_text(out, "\"tool_calls\":[");
	for (int64_t i = 0; i == 0 || i < answer->tool_times; i++) {
		bytes_text(out, i > 0 ? ",{" : "{");
		if (delta)
			bytes_printf(out, "\"index\":%" PRIi64 ",", i);
		bytes_printf(out, "\"id\":\"call_%" PRIx64, answer->number);
		if (i > 0)
			bytes_printf(out, "_%" PRIi64, i);
		bytes_text(out, "\",\"type\":\"function\",\"function\":{\"name\":");
		bytes_json(out, span_of(answer->tool));
		bytes_text(out, ",\"arguments\":");
		bytes_json(out, delta ? span_of("") : answer->arguments);
		bytes_text(out, "}}");
	}
	bytes_text(out, "]");
}

static void write_answer(struct bytes *out, const struct chat_answer *answer)
{
	write_opening(out, answer, "chat.completion");
	bytes_text(out, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",");
	if (answer->tool) {
		bytes_text(out, "\"content\":null,");
		write_tool_calls(out, answer, /* delta= */ false);
	} else {
		if (answer->finish == CHAT_REFUSAL)
			bytes_text(out, "\"content\":null,");
		bytes_printf(out, "\"%s\":", text_name(answer));
		bytes_json(out, answer->text);
	}
	bytes_printf(out, "},\"logprobs\":null,\"finish_reason\":\"%s\"}]", finish_of(answer));
	if (answer->usage)
		write_usage(out, answer);
	bytes_text(out, "}");
}

static int write_problem(struct bytes *out, const struct chat_problem *problem)
{
	bytes_text(out, "{\"error\":{\"message\":");
	bytes_json(out, span_of(problem->message));
	bytes_printf(out, ",\"type\":\"%s\",\"param\":null,\"code\":", problem->type);
	if (problem->code)
		bytes_json(out, span_of(problem->code));
	else
		bytes_text(out, "null");
	bytes_text(out, "}}");
	return problem->status;
}

static int write_mistral_problem(struct bytes *out, const struct chat_problem *problem)
{
	bytes_text(out, "{\"object\":\"error\",\"message\":{\"detail\":[{\"msg\":");
	bytes_json(out, span_of(problem->message));
	bytes_printf(out, "}]},\"type\":\"%s\",\"param\":null,\"code\":null}", problem->type);
	return problem->status;
}

/* One event; data says what stands behind its opening. */
static void write_chunk(struct bytes *out, const struct chat_answer *answer, struct bytes *data)
{
	struct bytes event = { 0 };

	write_opening(&event, answer, "chat.completion.chunk");
	bytes_append(&event, data->data, data->size);
	bytes_text(&event, "}");
	chat_write_event(out, NULL, &event);
	bytes_done(&event);
	bytes_clear(data);
}

#define DELTA ",\"choices\":[{\"index\":0,\"delta\":{"

static void write_arguments(struct bytes *out, const struct chat_answer *answer, int64_t index,
			    struct bytes *data)
{
	struct span rest = answer->arguments;

	while (rest.size > 0) {
		bytes_printf(data, DELTA "\"tool_calls\":[{\"index\":%" PRIi64 ",\"function\":{\"arguments\":",
			     index);
		bytes_json(data, chat_take_piece(&rest));
		bytes_text(data, "}}]},\"finish_reason\":null}]");
		write_chunk(out, answer, data);
	}
}

static void write_stream(struct bytes *out, const struct chat_answer *answer, bool include_usage)
{
	struct span rest = answer->tool ? span_of("") : answer->text;
	struct bytes data = { 0 };

	bytes_text(&data, DELTA "\"role\":\"assistant\",");
	if (answer->tool)
		write_tool_calls(&data, answer, /* delta= */ true);
	else
		bytes_printf(&data, "\"%s\":\"\"", text_name(answer));
	bytes_text(&data, "},\"finish_reason\":null}]");
	write_chunk(out, answer, &data);
	for (int64_t i = 0; answer->tool && (i == 0 || i < answer->tool_times); i++)
		write_arguments(out, answer, i, &data);
	while (rest.size > 0) {
		bytes_printf(&data, DELTA "\"%s\":", text_name(answer));
		bytes_json(&data, chat_take_piece(&rest));
		bytes_text(&data, "},\"finish_reason\":null}]");
		write_chunk(out, answer, &data);
	}
	bytes_printf(&data, DELTA "},\"finish_reason\":\"%s\"}]", finish_of(answer));
	write_chunk(out, answer, &data);
	if (include_usage && answer->usage) {
		bytes_text(&data, ",\"choices\":[]");
		write_usage(&data, answer);
		write_chunk(out, answer, &data);
	}
	chat_write_stream_end(out, /* done= */ true);
	bytes_done(&data);
}

const struct chat_dialect chat_openai = {
	.path = "/v1/chat/completions",
	.vectors = &chat_vectors_openai,
	.read = read_request,
	.write = write_answer,
	.write_stream = write_stream,
	.write_problem = write_problem,
};

const struct chat_dialect chat_azure = {
	.path = "/openai/deployments/",
	.end = "/chat/completions",
	.vectors = &chat_vectors_openai,
	.key_header = "api-key",
	.wanted_parameter = "api-version=",
	.read = read_request,
	.write = write_answer,
	.write_stream = write_stream,
	.write_problem = write_problem,
};

const struct chat_dialect chat_mistral = {
	.path = "/mistral/v1/chat/completions",
	.vectors = &chat_vectors_mistral,
	.read = read_mistral,
	.write = write_answer,
	.write_stream = write_stream,
	.write_problem = write_mistral_problem,
};
