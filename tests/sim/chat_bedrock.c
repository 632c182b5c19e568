/* Amazon Bedrock's Converse. */
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "tests/sim/aws_signature.h"
#include "tests/sim/chat.h"

/* Members that it knows; others it refuses. */
static const char *const known[] = {
	"model", "messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig",
	"additionalModelRequestFields", "additionalModelResponseFieldPaths", "requestMetadata",
	"performanceConfig", "promptVariables", "serviceTier", "outputConfig", NULL,
};
static const char *const known_params[] = { "maxTokens", "temperature", "topP", "stopSequences", NULL };
static const char *const known_blocks[] = { "text", "image", "document", "toolUse", "toolResult",
					    "cachePoint", "guardContent", NULL };

static bool knows(struct json_object *object, const char *const *names, struct bytes *error)
{
	json_object_object_foreach(object, name, value) {
		size_t i = 0;

		(void) value;
		while (names[i] && strcmp(name, names[i]) != 0)
			i++;
		if (names[i])
			continue;
		bytes_printf(error, "The model returned the following errors: %s: Extra inputs are not "
			     "permitted", name);
		return false;
	}
	return true;
}

static bool add_blocks(struct chat_request *request, struct json_object *content, struct bytes *error);

static bool add_block(struct chat_request *request, struct json_object *block, struct bytes *error)
{
	struct json_object *result = chat_member(block, "toolResult");
	struct json_object *use = chat_member(block, "toolUse");
	const char *text = chat_text_member(block, "text");

	if (!json_object_is_type(block, json_type_object) || json_object_object_length(block) != 1 ||
	    !knows(block, known_blocks, error)) {
		bytes_text(error, "a block of content has exactly one member that is known");
		return false;
	}
	if (text && !*text) {
		bytes_text(error, "The text field in the ContentBlock object is blank.");
		return false;
	}
	if (text)
		chat_add_content(request, text);
	request->after_tools = result != NULL;
	if (use && (!chat_text_member(use, "toolUseId") || !chat_text_member(use, "name") ||
		    !json_object_is_type(chat_member(use, "input"), json_type_object))) {
		bytes_text(error, "toolUse needs toolUseId, name and input, which is an object");
		return false;
	}
	if (result && !chat_text_member(result, "toolUseId")) {
		bytes_text(error, "toolResult needs toolUseId");
		return false;
	}
	return !result || add_blocks(request, chat_member(result, "content"), error);
}

static bool add_blocks(struct chat_request *request, struct json_object *content, struct bytes *error)
{
	if (!json_object_is_type(content, json_type_array) || json_object_array_length(content) == 0) {
		bytes_text(error, "The content field in the Message object is empty.");
		return false;
	}
	for (size_t i = 0; i < json_object_array_length(content); i++)
		if (!add_block(request, json_object_array_get_idx(content, i), error))
			return false;
	return true;
}

/* Users and assistants take turns, and a user begins. */
static bool add_messages(struct chat_request *request, struct json_object *messages,
			 struct bytes *error)
{
	for (size_t i = 0; i < json_object_array_length(messages); i++) {
		struct json_object *message = json_object_array_get_idx(messages, i);
		const char *role = chat_text_member(message, "role");

		if (!role || strcmp(role, i % 2 == 0 ? "user" : "assistant") != 0) {
			bytes_text(error, "A conversation must alternate between user and assistant roles.");
			return false;
		}
		if (!add_blocks(request, chat_member(message, "content"), error))
			return false;
	}
	return true;
}

static bool read_tools(struct chat_request *request, struct json_object *config, struct bytes *error)
{
	struct json_object *tools = chat_member(config, "tools");
	struct json_object *choice = chat_member(config, "toolChoice");
	const char *forced = chat_text_member(chat_member(choice, "tool"), "name");

	if (!json_object_is_type(tools, json_type_array) || json_object_array_length(tools) == 0) {
		bytes_text(error, "toolConfig.tools is empty");
		return false;
	}
	for (size_t i = 0; i < json_object_array_length(tools); i++) {
		struct json_object *tool = chat_member(json_object_array_get_idx(tools, i), "toolSpec");
		struct json_object *schema = chat_member(chat_member(tool, "inputSchema"), "json");
		const char *name = chat_text_member(tool, "name");

		if (!name || !json_object_is_type(schema, json_type_object)) {
			bytes_printf(error, "toolConfig.tools.%zu is no toolSpec", i);
			return false;
		}
		/* The only one, if it has to be called, gives an answer its form. */
		if (forced && strcmp(forced, name) == 0 && json_object_array_length(tools) == 1) {
			request->format = CHAT_JSON_SCHEMA;
			request->schema = schema;
			request->form_tool = name;
		} else {
			chat_add_tool(request, name, schema);
		}
	}
	return true;
}

static bool read(struct chat_request *request, struct bytes *error)
{
	struct json_object *messages = chat_member(request->json, "messages");
	struct json_object *params = chat_member(request->json, "inferenceConfig");
	struct json_object *system = chat_member(request->json, "system");
	struct json_object *tools = chat_member(request->json, "toolConfig");

	if (!knows(request->json, known, error) || (params && !knows(params, known_params, error)))
		return false;
	if (!json_object_is_type(messages, json_type_array) ||
	    json_object_array_length(messages) == 0) {
		bytes_text(error, "messages is empty");
		return false;
	}
	return (!system || add_blocks(request, system, error)) && add_messages(request, messages, error) &&
	       (!tools || read_tools(request, tools, error));
}

/* ---- Answers ---- */

static const char *stop_reason_of(const struct chat_answer *answer)
{
	static const char *const words[] = {
		[CHAT_STOP] = "end_turn",
		[CHAT_LENGTH] = "max_tokens",
		[CHAT_FILTER] = "content_filtered",
		[CHAT_REFUSAL] = "end_turn",
		[CHAT_TOOLS] = "tool_use",
	};

	return answer->form_tool ? "tool_use" : words[answer->finish];
}

static void write_usage(struct bytes *out, const struct chat_answer *answer)
{
	if (answer->usage)
		bytes_printf(out, "\"usage\":{\"inputTokens\":%" PRIi64 ",\"outputTokens\":%" PRIi64
			     ",\"totalTokens\":%" PRIi64 "},", answer->input_tokens,
			     answer->output_tokens, answer->input_tokens + answer->output_tokens);
	bytes_text(out, "\"metrics\":{\"latencyMs\":1}");
}

static void write_tool_head(struct bytes *out, const struct chat_answer *answer)
{
	bytes_printf(out, "{\"toolUse\":{\"toolUseId\":\"tooluse_%" PRIx64 "\",\"name\":",
		     answer->number);
	bytes_json(out, span_of(answer->form_tool ? answer->form_tool : answer->tool));
}

/* An object, whatever is to be said. */
static struct span input_of(const struct chat_answer *answer, struct bytes *made)
{
	if (answer->tool)
		return answer->arguments;
	if (!answer->form_tool || (answer->text.size > 0 && *answer->text.data == '{'))
		return answer->text;
	bytes_text(made, "{\"text\":");
	bytes_json(made, answer->text);
	bytes_text(made, "}");
	return (struct span) { made->data, made->size };
}

static void write(struct bytes *out, const struct chat_answer *answer)
{
	struct bytes made = { 0 };
	struct span input = input_of(answer, &made);

	bytes_text(out, "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[");
	if (answer->form_tool || answer->tool) {
		write_tool_head(out, answer);
		bytes_text(out, ",\"input\":");
		bytes_append(out, input.data, input.size);
		bytes_text(out, "}}");
	} else {
		bytes_text(out, "{\"text\":");
		bytes_json(out, answer->text);
		bytes_text(out, "}");
	}
	bytes_printf(out, "]}},\"stopReason\":\"%s\",", stop_reason_of(answer));
	write_usage(out, answer);
	bytes_text(out, "}");
	bytes_done(&made);
}

/* ---- Streams ---- */

static void put_number(struct bytes *out, uint32_t number)
{
	const unsigned char bytes[] = { (unsigned char) (number >> 24), (unsigned char) (number >> 16),
					(unsigned char) (number >> 8), (unsigned char) number };

	bytes_append(out, bytes, sizeof(bytes));
}

/* CRC-32, a bit at a time. */
static void put_checksum(struct bytes *out)
{
	uint32_t sum = 0xffffffff;

	for (size_t i = 0; i < out->size; i++) {
		sum ^= (unsigned char) out->data[i];
		for (int bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? 0xedb88320 : 0);
	}
	put_number(out, ~sum);
}

static void put_header(struct bytes *out, const char *name, const char *value)
{
	unsigned char head[] = { 7, (unsigned char) (strlen(value) >> 8), (unsigned char) strlen(value) };
	unsigned char size = (unsigned char) strlen(name);

	bytes_append(out, &size, 1);
	bytes_text(out, name);
	bytes_append(out, head, sizeof(head));
	bytes_text(out, value);
}

/* What is in `event` as a message, and none is there any more. */
static void write_event(struct bytes *out, const char *name, struct bytes *event)
{
	struct bytes headers = { 0 }, message = { 0 };

	bool exception = name && strstr(name, "Exception");

	put_header(&headers, exception ? ":exception-type" : ":event-type",
		   name ? name : "contentBlockDelta");
	put_header(&headers, ":content-type", "application/json");
	put_header(&headers, ":message-type", exception ? "exception" : "event");
	put_number(&message, (uint32_t) (12 + headers.size + event->size + 4));
	put_number(&message, (uint32_t) headers.size);
	put_checksum(&message);
	bytes_append(&message, headers.data, headers.size);
	bytes_append(&message, event->data, event->size);
	put_checksum(&message);
	bytes_printf(out, "%zx\r\n", message.size);
	bytes_append(out, message.data, message.size);
	bytes_text(out, "\r\n");
	bytes_done(&headers);
	bytes_done(&message);
	bytes_clear(event);
}

static void write_stream(struct bytes *out, const struct chat_answer *answer, bool include_usage)
{
	bool tool = answer->form_tool || answer->tool;
	struct bytes event = { 0 }, made = { 0 };
	struct span rest = input_of(answer, &made);

	(void) include_usage;
	bytes_text(&event, "{\"role\":\"assistant\",\"p\":\"abc\"}");
	write_event(out, "messageStart", &event);
	if (tool) {
		bytes_text(&event, "{\"contentBlockIndex\":0,\"start\":");
		write_tool_head(&event, answer);
		bytes_text(&event, "}}}");
		write_event(out, "contentBlockStart", &event);
	}
	while (rest.size > 0) {
		bytes_text(&event, tool ? "{\"contentBlockIndex\":0,\"delta\":{\"toolUse\":{\"input\":" :
					  "{\"contentBlockIndex\":0,\"delta\":{\"text\":");
		bytes_json(&event, chat_take_piece(&rest));
		bytes_text(&event, tool ? "}},\"p\":\"abcd\"}" : "},\"p\":\"abcdefg\"}");
		write_event(out, "contentBlockDelta", &event);
	}
	bytes_text(&event, "{\"contentBlockIndex\":0,\"p\":\"ab\"}");
	write_event(out, "contentBlockStop", &event);
	bytes_printf(&event, "{\"stopReason\":\"%s\",\"p\":\"a\"}", stop_reason_of(answer));
	write_event(out, "messageStop", &event);
	bytes_text(&event, "{");
	write_usage(&event, answer);
	bytes_text(&event, "}");
	write_event(out, "metadata", &event);
	chat_write_stream_end(out, /* done= */ false);
	bytes_done(&event);
	bytes_done(&made);
}

/* ---- Errors ---- */

/* A key is refused by a 403, and what is wrong is named by a header. */
static int write_problem(struct bytes *out, const struct chat_problem *problem)
{
	int status = problem->status == 401 ? 403 : problem->status;

	bytes_text(out, "{\"message\":");
	bytes_json(out, span_of(problem->message));
	bytes_text(out, "}");
	return status;
}

static void write_problem_header(struct bytes *out, int status)
{
	const char *type = status == 400 ? "ValidationException" :
			   status == 403 ? "InvalidSignatureException" :
			   status == 404 ? "ResourceNotFoundException" :
			   status == 429 ? "ThrottlingException" :
			   status == 503 ? "ServiceUnavailableException" : "InternalServerException";

	bytes_printf(out, "x-amzn-ErrorType: %s:http://internal.amazon.com/coral/com.amazon.bedrock/\r\n",
		     type);
}

/* `ACCESS:SECRET…` signs; what has no colon is shown. */
static bool authorised(const struct http_request *request, const char *key, struct bytes *error)
{
	struct span given = http_request_header(request, "Authorization");
	static const char scheme[] = "Bearer ";

	if (strchr(key, ':'))
		return aws_signature_holds(request, key, (int64_t) time(NULL), error);
	if (given.size >= sizeof(scheme) - 1 && memcmp(given.data, scheme, sizeof(scheme) - 1) == 0 &&
	    span_is((struct span) { given.data + sizeof(scheme) - 1, given.size - (sizeof(scheme) - 1) },
		    key))
		return true;
	bytes_text(error, "The security token included in the request is invalid.");
	return false;
}

const struct chat_dialect chat_bedrock = {
	.path = "/model/",
	.vectors = &chat_vectors_bedrock,
	.end = "/converse",
	.stream_end = "/converse-stream",
	.stream_type = "application/vnd.amazon.eventstream",
	.no_schema = "This model doesn't support the toolConfig.toolChoice.tool field.",
	.authorised = authorised,
	.read = read,
	.write = write,
	.write_stream = write_stream,
	.write_event = write_event,
	.write_problem = write_problem,
	.write_problem_header = write_problem_header,
};
