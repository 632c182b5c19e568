/* Google's generateContent, of the Gemini API and of Vertex. */
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "tests/sim/chat.h"

/* Members that it knows; others it refuses. */
static const char *const known[] = {
	"model", "contents", "systemInstruction", "generationConfig", "tools", "toolConfig",
	"safetySettings", "cachedContent", "labels",
};

static const char *const known_params[] = {
	"maxOutputTokens", "temperature", "topP", "topK", "seed", "stopSequences", "frequencyPenalty",
	"presencePenalty", "responseLogprobs", "logprobs", "thinkingConfig", "responseMimeType",
	"responseSchema", "responseJsonSchema", "candidateCount", "responseModalities",
};

static bool knows(struct json_object *object, const char *const *names, size_t n, const char *at,
		  struct bytes *error)
{
	json_object_object_foreach(object, name, value) {
		size_t i = 0;

		(void) value;
		while (i < n && strcmp(name, names[i]) != 0)
			i++;
		if (i == n) {
			bytes_printf(error, "Invalid JSON payload received. Unknown name \"%s\"%s: Cannot find "
				     "field.", name, at);
			return false;
		}
	}
	return true;
}

/* Of a content; one without any is refused. */
static bool add_parts(struct chat_request *request, struct json_object *content)
{
	struct json_object *parts = chat_member(content, "parts");

	if (!json_object_is_type(parts, json_type_array) || json_object_array_length(parts) == 0)
		return false;
	request->after_tools = false;
	for (size_t i = 0; i < json_object_array_length(parts); i++) {
		struct json_object *part = json_object_array_get_idx(parts, i);
		struct json_object *result = chat_member(part, "functionResponse");
		const char *text = chat_text_member(part, "text");

		if (text)
			chat_add_content(request, text);
		if (!result)
			continue;
		request->after_tools = true;
		if (!chat_text_member(result, "name") ||
		    !json_object_is_type(chat_member(result, "response"), json_type_object))
			return false;
		chat_add_content(request,
				 json_object_to_json_string(chat_member(result, "response")));
	}
	return true;
}

static bool add_content(struct chat_request *request, struct json_object *content)
{
	const char *role = chat_text_member(content, "role");

	return (!role || strcmp(role, "user") == 0 || strcmp(role, "model") == 0) &&
	       add_parts(request, content);
}

static void read_tools(struct chat_request *request)
{
	struct json_object *tools = chat_member(request->json, "tools");
	struct json_object *functions = chat_member(json_object_array_get_idx(tools, 0),
						    "functionDeclarations");

	for (size_t i = 0; functions && i < json_object_array_length(functions); i++) {
		struct json_object *function = json_object_array_get_idx(functions, i);
		struct json_object *schema = chat_member(function, "parametersJsonSchema");

		if (chat_text_member(function, "name"))
			chat_add_tool(request, chat_text_member(function, "name"),
				      schema ? schema : chat_member(function, "parameters"));
	}
}

static void read_format(struct chat_request *request, struct json_object *params)
{
	const char *type = chat_text_member(params, "responseMimeType");

	if (!type || strcmp(type, "application/json") != 0)
		return;
	request->schema = chat_member(params, "responseJsonSchema");
	request->format = request->schema ? CHAT_JSON_SCHEMA : CHAT_JSON_OBJECT;
}

static bool read_request(struct chat_request *request, struct bytes *error)
{
	struct json_object *contents = chat_member(request->json, "contents");
	struct json_object *system = chat_member(request->json, "systemInstruction");
	struct json_object *params = chat_member(request->json, "generationConfig");

	if (!knows(request->json, known, sizeof(known) / sizeof(*known), "", error) ||
	    (params && !knows(params, known_params, sizeof(known_params) / sizeof(*known_params),
			      " at 'generation_config'", error)))
		return false;
	if (!json_object_is_type(contents, json_type_array) || json_object_array_length(contents) == 0 ||
	    (system && !add_parts(request, system))) {
		bytes_text(error, "* GenerateContentRequest.contents: contents is not specified");
		return false;
	}
	for (size_t i = 0; i < json_object_array_length(contents); i++)
		if (!add_content(request, json_object_array_get_idx(contents, i))) {
			bytes_printf(error, "* GenerateContentRequest.contents[%zu].parts: contents.parts must "
				     "not be empty.", i);
			return false;
		}
	if (json_object_is_type(chat_member(request->json, "tools"), json_type_array))
		read_tools(request);
	read_format(request, params);
	return true;
}

static const char *finish_of(const struct chat_answer *answer)
{
	static const char *const words[] = {
		[CHAT_STOP] = "STOP",
		[CHAT_LENGTH] = "MAX_TOKENS",
		[CHAT_FILTER] = "SAFETY",
		[CHAT_REFUSAL] = "STOP",
		[CHAT_TOOLS] = "STOP",
	};

	return words[answer->finish];
}

/* One with that text, or what is called; the last one says why it ends. */
static void write_piece(struct bytes *out, const struct chat_answer *answer, struct span text, bool last)
{
	bytes_text(out, "{\"candidates\":[{\"content\":{\"parts\":[");
	if (answer->tool) {
		bytes_text(out, "{\"functionCall\":{\"name\":");
		bytes_json(out, span_of(answer->tool));
		bytes_text(out, ",\"args\":");
		bytes_append(out, answer->arguments.data, answer->arguments.size);
		bytes_text(out, "}}");
	} else {
		bytes_text(out, "{\"text\":");
		bytes_json(out, text);
		bytes_text(out, "}");
	}
	bytes_text(out, "],\"role\":\"model\"},");
	if (last)
		bytes_printf(out, "\"finishReason\":\"%s\",", finish_of(answer));
	bytes_text(out, "\"index\":0}]");
	if (answer->usage)
		bytes_printf(out, ",\"usageMetadata\":{\"promptTokenCount\":%" PRIi64
			     ",\"candidatesTokenCount\":%" PRIi64 ",\"totalTokenCount\":%" PRIi64 "}",
			     answer->input_tokens, answer->output_tokens,
			     answer->input_tokens + answer->output_tokens);
	bytes_text(out, ",\"modelVersion\":");
	bytes_json(out, span_of(answer->model));
	bytes_printf(out, ",\"responseId\":\"%016" PRIx64 "\"}", answer->number);
}

static void write_answer(struct bytes *out, const struct chat_answer *answer)
{
	write_piece(out, answer, answer->text, /* last= */ true);
}

static void write_stream(struct bytes *out, const struct chat_answer *answer, bool include_usage)
{
	struct span rest = answer->text;
	struct bytes event = { 0 };

	(void) include_usage;
	do {
		struct span piece = chat_take_piece(&rest);

		write_piece(&event, answer, piece, /* last= */ rest.size == 0 || answer->tool);
		chat_write_event(out, NULL, &event);
	} while (rest.size > 0 && !answer->tool);
	chat_write_stream_end(out, /* done= */ false);
	bytes_done(&event);
}

/* A key that is wrong is an argument that is, and how long to wait stands among the details. */
static int write_problem(struct bytes *out, const struct chat_problem *problem)
{
	bool key = problem->status == 401;
	int status = key ? 400 : problem->status;
	const char *word = status == 400 ? "INVALID_ARGUMENT" :
			   status == 404 ? "NOT_FOUND" :
			   status == 429 ? "RESOURCE_EXHAUSTED" :
			   status == 503 ? "UNAVAILABLE" : "INTERNAL";

	bytes_printf(out, "{\"error\":{\"code\":%d,\"message\":", status);
	bytes_json(out, span_of(key ? "API key not valid. Please pass a valid API key." :
				      problem->message));
	bytes_printf(out, ",\"status\":\"%s\",\"details\":[", word);
	if (key)
		bytes_text(out, "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":"
				"\"API_KEY_INVALID\",\"domain\":\"googleapis.com\"}");
	else if (problem->wait_seconds > 0)
		bytes_printf(out, "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
			     "\"retryDelay\":\"%gs\"}", problem->wait_seconds);
	bytes_text(out, "]}}");
	return status;
}

/* A token that is wrong has a status of its own there. */
static int write_problem_vertex(struct bytes *out, const struct chat_problem *problem)
{
	if (problem->status != 401)
		return write_problem(out, problem);
	bytes_text(out, "{\"error\":{\"code\":401,\"message\":\"Request had invalid authentication credentials.\","
			"\"status\":\"UNAUTHENTICATED\",\"details\":[{\"@type\":"
			"\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"ACCESS_TOKEN_TYPE_UNSUPPORTED\","
			"\"domain\":\"googleapis.com\"}]}}");
	return 401;
}

const struct chat_dialect chat_gemini = {
	.path = "/v1beta/models/",
	.vectors = &chat_vectors_gemini,
	.end = ":generateContent",
	.stream_end = ":streamGenerateContent",
	.key_header = "x-goog-api-key",
	.no_schema = "Invalid JSON payload received. Unknown name \"responseJsonSchema\" at "
		     "'generation_config': Cannot find field.",
	.waits_in_body = true,
	.read = read_request,
	.write = write_answer,
	.write_stream = write_stream,
	.write_problem = write_problem,
};

const struct chat_dialect chat_vertex = {
	.path = "/v1/projects/",
	.by_account = true,
	.vectors = &chat_vectors_vertex,
	.end = ":generateContent",
	.stream_end = ":streamGenerateContent",
	.no_schema = "Invalid JSON payload received. Unknown name \"responseJsonSchema\" at "
		     "'generation_config': Cannot find field.",
	.waits_in_body = true,
	.read = read_request,
	.write = write_answer,
	.write_stream = write_stream,
	.write_problem = write_problem_vertex,
};
