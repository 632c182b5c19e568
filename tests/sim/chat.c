#include "tests/sim/chat.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/backend/dialect/simulated_text.h"
#include "daemon/base/hash.h"

#define DEPTH_MAX 64
#define DELTA_SIZE_MIN 16

static const char *text_member(struct json_object *object, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, name, &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

static bool true_member(struct json_object *object, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(object, name, &value) &&
	       json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

static void add_content(struct chat_request *request, const char *text)
{
	request->contents = must_have(reallocarray(request->contents, request->n_contents + 1,
						   sizeof(*request->contents)));
	request->contents[request->n_contents++] = text;
}

/* A text, or parts of which some are texts. */
static bool add_text(struct chat_request *request, struct json_object *content)
{
	if (json_object_is_type(content, json_type_string)) {
		add_content(request, json_object_get_string(content));
		return true;
	}
	if (!json_object_is_type(content, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(content); i++) {
		struct json_object *part = json_object_array_get_idx(content, i);
		const char *text = text_member(part, "text");

		if (text)
			add_content(request, text);
	}
	return true;
}

static bool add_message(struct chat_request *request, struct json_object *message)
{
	const char *role = text_member(message, "role");
	struct json_object *content;

	if (!json_object_is_type(message, json_type_object) || !role)
		return false;
	if (request->dialect == CHAT_ANTHROPIC && strcmp(role, "user") != 0 &&
	    strcmp(role, "assistant") != 0)
		return false;
	if (!json_object_object_get_ex(message, "content", &content) || !content)
		return true;
	return add_text(request, content);
}

/* {output_config: {format: {type: json_schema, schema}}} */
static void read_output_config(struct chat_request *request)
{
	struct json_object *format;

	if (json_object_object_get_ex(request->json, "output_config", &format) &&
	    json_object_object_get_ex(format, "format", &format)) {
		request->format = CHAT_JSON_SCHEMA;
		json_object_object_get_ex(format, "schema", &request->schema);
	}
}

/* The system message stands apart, as a text or as blocks; an answer must be limited. */
static bool read_anthropic(struct chat_request *request, struct bytes *error)
{
	struct json_object *value;

	if (!json_object_object_get_ex(request->json, "max_tokens", &value) ||
	    !json_object_is_type(value, json_type_int)) {
		bytes_text(error, "max_tokens: Field required");
		return false;
	}
	if (json_object_object_get_ex(request->json, "system", &value) &&
	    !add_text(request, value)) {
		bytes_text(error, "system: Input should be a valid string or list");
		return false;
	}
	read_output_config(request);
	return true;
}

static void read_format(struct chat_request *request)
{
	struct json_object *format, *schema;
	const char *type;

	if (!json_object_object_get_ex(request->json, "response_format", &format))
		return;
	type = text_member(format, "type");
	if (type && strcmp(type, "json_object") == 0) {
		request->format = CHAT_JSON_OBJECT;
	} else if (type && strcmp(type, "json_schema") == 0) {
		request->format = CHAT_JSON_SCHEMA;
		if (json_object_object_get_ex(format, "json_schema", &schema) &&
		    json_object_object_get_ex(schema, "schema", &schema))
			request->schema = schema;
	}
}

/* What it does not know, it does not ignore. */
static bool is_mistral(const struct chat_request *request, struct bytes *error)
{
	static const char *const unknown[] = { "seed", "max_completion_tokens", "top_k" };
	const char *choice = text_member(request->json, "tool_choice");

	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		if (json_object_object_get_ex(request->json, unknown[i], NULL)) {
			bytes_printf(error, "%s: Extra inputs are not permitted", unknown[i]);
			return false;
		}
	if (!choice || strcmp(choice, "required") != 0)
		return true;
	bytes_text(error, "tool_choice: Input should be 'auto', 'none' or 'any'");
	return false;
}

static bool read_members(struct chat_request *request, struct bytes *error)
{
	struct json_object *messages, *options;

	request->model = text_member(request->json, "model");
	if (!request->model) {
		bytes_text(error, "you must provide a model parameter");
		return false;
	}
	if (!json_object_object_get_ex(request->json, "messages", &messages) ||
	    !json_object_is_type(messages, json_type_array) ||
	    json_object_array_length(messages) == 0) {
		bytes_text(error, "'messages' must be a non-empty array");
		return false;
	}
	if (request->dialect == CHAT_ANTHROPIC && !read_anthropic(request, error))
		return false;
	if (request->dialect == CHAT_MISTRAL && !is_mistral(request, error))
		return false;
	for (size_t i = 0; i < json_object_array_length(messages); i++)
		if (!add_message(request, json_object_array_get_idx(messages, i))) {
			bytes_printf(error, "'messages[%zu]' is not a message", i);
			return false;
		}
	if (request->dialect == CHAT_ANTHROPIC)
		return true;
	request->stream = true_member(request->json, "stream");
	request->include_usage =
		json_object_object_get_ex(request->json, "stream_options", &options) &&
		true_member(options, "include_usage");
	request->has_max_tokens = json_object_object_get_ex(request->json, "max_tokens", &options);
	read_format(request);
	return true;
}

bool chat_request_parse(struct span body, enum chat_dialect dialect,
			struct chat_request *ret_request, struct bytes *error)
{
	struct json_tokener *tokener = must_have(json_tokener_new_ex(DEPTH_MAX));
	struct chat_request request = { .dialect = dialect };

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	request.json = json_tokener_parse_ex(tokener, body.data ? body.data : "", (int) body.size);
	json_tokener_free(tokener);
	if (!json_object_is_type(request.json, json_type_object)) {
		bytes_text(error, "we could not parse the JSON body of your request");
		chat_request_done(&request);
		return false;
	}
	if (!read_members(&request, error)) {
		chat_request_done(&request);
		return false;
	}
	*ret_request = request;
	return true;
}

void chat_request_done(struct chat_request *request)
{
	json_object_put(request->json);
	free(request->contents);
	*request = (struct chat_request) { 0 };
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

static void write_anthropic_answer(struct bytes *out, const struct chat_answer *answer)
{
	bool stopped = strcmp(answer->finish_reason, "stop") == 0;

	bytes_printf(out, "{\"id\":\"msg_%016" PRIx64 "\",\"type\":\"message\",\"role\":\"assistant\","
		     "\"model\":", answer->number);
	bytes_json(out, span_of(answer->model));
	bytes_text(out, ",\"content\":[{\"type\":\"text\",\"text\":");
	bytes_json(out, answer->text);
	bytes_printf(out, "}],\"stop_reason\":\"%s\",\"stop_sequence\":null,\"usage\":{"
		     "\"input_tokens\":%" PRIi64 ",\"output_tokens\":%" PRIi64 "}}",
		     stopped ? "end_turn" : "max_tokens", answer->input_tokens,
		     answer->output_tokens);
}

void chat_write_anthropic_error(struct bytes *out, const char *message, int status)
{
	const char *type = status == 401 ? "authentication_error" :
			   status == 404 ? "not_found_error" :
			   status == 429 ? "rate_limit_error" :
			   status == 503 ? "overloaded_error" :
			   status >= 500 ? "api_error" : "invalid_request_error";

	bytes_printf(out, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":", type);
	bytes_json(out, span_of(message));
	bytes_text(out, "},\"request_id\":\"req_simulated\"}");
}

void chat_write_mistral_error(struct bytes *out, const char *message, const char *type)
{
	bytes_text(out, "{\"object\":\"error\",\"message\":{\"detail\":[{\"msg\":");
	bytes_json(out, span_of(message));
	bytes_printf(out, "}]},\"type\":\"%s\",\"param\":null,\"code\":null}", type);
}

void chat_write_answer(struct bytes *out, const struct chat_answer *answer)
{
	if (answer->dialect == CHAT_ANTHROPIC) {
		write_anthropic_answer(out, answer);
		return;
	}
	write_opening(out, answer, "chat.completion");
	bytes_text(out, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
	bytes_json(out, answer->text);
	bytes_printf(out, "},\"logprobs\":null,\"finish_reason\":\"%s\"}]", answer->finish_reason);
	write_usage(out, answer);
	bytes_text(out, "}");
}

void chat_write_error(struct bytes *out, const char *message, const char *type, const char *code)
{
	bytes_text(out, "{\"error\":{\"message\":");
	bytes_json(out, span_of(message));
	bytes_printf(out, ",\"type\":\"%s\",\"param\":null,\"code\":", type);
	if (code)
		bytes_json(out, span_of(code));
	else
		bytes_text(out, "null");
	bytes_text(out, "}}");
}

void chat_write_event(struct bytes *out, struct span data)
{
	bytes_printf(out, "%zx\r\ndata: ", data.size + 8);
	bytes_append(out, data.data, data.size);
	bytes_text(out, "\n\n\r\n");
}

void chat_write_stream_end(struct bytes *out)
{
	chat_write_event(out, span_of("[DONE]"));
	bytes_text(out, "0\r\n\r\n");
}

/* One event; data says what stands in choices and behind it. */
static void write_chunk(struct bytes *out, const struct chat_answer *answer, struct bytes *data)
{
	struct bytes event = { 0 };

	write_opening(&event, answer, "chat.completion.chunk");
	bytes_append(&event, data->data, data->size);
	bytes_text(&event, "}");
	chat_write_event(out, (struct span) { event.data, event.size });
	bytes_done(&event);
	bytes_clear(data);
}

/* Pieces end behind a blank, so that no character is cut. */
static size_t delta_size(struct span rest)
{
	size_t n = rest.size < DELTA_SIZE_MIN ? rest.size : DELTA_SIZE_MIN;

	while (n < rest.size && rest.data[n - 1] != ' ' && rest.data[n - 1] != '\n')
		n++;
	return n;
}

void chat_write_stream(struct bytes *out, const struct chat_answer *answer, bool include_usage)
{
	static const char delta[] = ",\"choices\":[{\"index\":0,\"delta\":{";
	struct span rest = answer->text;
	struct bytes data = { 0 };

	bytes_printf(&data, "%s\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]", delta);
	write_chunk(out, answer, &data);
	while (rest.size > 0) {
		size_t n = delta_size(rest);

		bytes_printf(&data, "%s\"content\":", delta);
		bytes_json(&data, (struct span) { rest.data, n });
		bytes_text(&data, "},\"finish_reason\":null}]");
		write_chunk(out, answer, &data);
		rest.data += n;
		rest.size -= n;
	}
	bytes_printf(&data, "%s},\"finish_reason\":\"%s\"}]", delta, answer->finish_reason);
	write_chunk(out, answer, &data);
	if (include_usage) {
		bytes_text(&data, ",\"choices\":[]");
		write_usage(&data, answer);
		write_chunk(out, answer, &data);
	}
	chat_write_stream_end(out);
	bytes_done(&data);
}

/* A value that fits one property's schema, as far as its type and enum say. */
static void write_property(struct json_object *schema, const char *text, struct bytes *out)
{
	const char *type = text_member(schema, "type");
	struct json_object *choices;

	if (json_object_object_get_ex(schema, "enum", &choices) &&
	    json_object_is_type(choices, json_type_array) && json_object_array_length(choices) > 0) {
		size_t n = json_object_array_length(choices);
		size_t chosen = hash_bytes(0, text, strlen(text)) % n;

		bytes_text(out, json_object_to_json_string(json_object_array_get_idx(choices, chosen)));
	} else if (!type || strcmp(type, "string") == 0) {
		bytes_json(out, span_of(text));
	} else if (strcmp(type, "integer") == 0 || strcmp(type, "number") == 0) {
		bytes_printf(out, "%" PRIi64, simulated_tokens(text) % 10);
	} else if (strcmp(type, "boolean") == 0) {
		bytes_text(out, hash_bytes(0, text, strlen(text)) % 2 ? "true" : "false");
	} else {
		bytes_text(out, strcmp(type, "array") == 0 ? "[]" :
				strcmp(type, "object") == 0 ? "{}" : "null");
	}
}

void chat_structured_text(const struct chat_request *request, const char *text, struct bytes *out)
{
	struct json_object *properties;
	const char *separator = "";

	bytes_text(out, "{");
	if (request->schema && json_object_object_get_ex(request->schema, "properties", &properties) &&
	    json_object_is_type(properties, json_type_object)) {
		json_object_object_foreach(properties, name, schema) {
			bytes_text(out, separator);
			bytes_json(out, span_of(name));
			bytes_text(out, ": ");
			write_property(schema, text, out);
			separator = ", ";
		}
	} else {
		bytes_text(out, "\"answer\": ");
		bytes_json(out, span_of(text));
	}
	bytes_text(out, "}");
}
