#include "tests/sim/chat.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/simulated_text.h"
#include "daemon/base/hash.h"

#define DEPTH_MAX 64
#define DELTA_SIZE_MIN 16

/* ---- Which ---- */

static const struct chat_dialect *const dialects[] = {
	&chat_openai, &chat_mistral, &chat_azure, &chat_anthropic, &chat_bedrock, &chat_cohere,
	&chat_custom, &chat_gemini, &chat_vertex,
};

static bool ends_in(struct span path, const char *end)
{
	size_t size = strlen(end);

	return path.size > size && memcmp(path.data + path.size - size, end, size) == 0;
}

/* What is before the end, with the model's name at its own end. */
static bool find_model(struct span path, const char *end, struct chat_wanted *wanted)
{
	const char *slash;

	if (!end || !ends_in(path, end))
		return false;
	path.size -= strlen(end);
	slash = memrchr(path.data, '/', path.size);
	wanted->model = (struct span) { slash + 1, (size_t) (path.data + path.size - slash) - 1 };
	return true;
}

/* Whether the request is for the dialect, and what it then wants. */
static bool is_for(const struct chat_dialect *dialect, struct span path, struct chat_wanted *wanted)
{
	const struct chat_vectors_form *vectors = dialect->vectors;
	const size_t size = strlen(dialect->path);

	*wanted = (struct chat_wanted) { .dialect = dialect };
	if (!dialect->end) {
		wanted->vectors = vectors && span_is(path, vectors->path);
		return wanted->vectors || span_is(path, dialect->path);
	}
	if (path.size <= size || memcmp(path.data, dialect->path, size) != 0)
		return false;
	wanted->stream = find_model(path, dialect->stream_end, wanted);
	wanted->vectors = vectors && find_model(path, vectors->end, wanted);
	return wanted->stream || wanted->vectors || find_model(path, dialect->end, wanted);
}

bool chat_find(struct span path, struct chat_wanted *ret_wanted)
{
	for (size_t i = 0; i < sizeof(dialects) / sizeof(*dialects); i++)
		if (is_for(dialects[i], path, ret_wanted))
			return true;
	return false;
}

/* ---- Requests ---- */

struct json_object *chat_member(struct json_object *object, const char *name)
{
	struct json_object *value;

	return json_object_is_type(object, json_type_object) &&
			       json_object_object_get_ex(object, name, &value) ?
		       value : NULL;
}

const char *chat_text_member(struct json_object *object, const char *name)
{
	struct json_object *value = chat_member(object, name);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

void chat_add_content(struct chat_request *request, const char *text)
{
	request->contents = must_have(reallocarray(request->contents, request->n_contents + 1,
						   sizeof(*request->contents)));
	request->contents[request->n_contents++] = text;
}

bool chat_add_text(struct chat_request *request, struct json_object *content)
{
	if (json_object_is_type(content, json_type_string)) {
		chat_add_content(request, json_object_get_string(content));
		return true;
	}
	if (!json_object_is_type(content, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(content); i++) {
		const char *text = chat_text_member(json_object_array_get_idx(content, i), "text");

		if (text)
			chat_add_content(request, text);
	}
	return true;
}

void chat_add_tool(struct chat_request *request, const char *name, struct json_object *schema)
{
	request->tools = must_have(reallocarray(request->tools, request->n_tools + 1,
						sizeof(*request->tools)));
	request->tools[request->n_tools++] = (struct chat_tool) { name, schema };
}

/* The model's name becomes a member, as others have it. */
static void take_model(struct chat_request *request, struct span model)
{
	char *name = must_have(malloc(model.size + 1)), *end = name;
	unsigned byte;

	for (size_t i = 0; i < model.size; i++) {
		bool escaped = model.data[i] == '%' && i + 2 < model.size &&
			       sscanf(model.data + i + 1, "%2x", &byte) == 1;

		*end++ = escaped ? (char) byte : model.data[i];
		i += escaped ? 2 : 0;
	}
	json_object_object_add(request->json, "model",
			       json_object_new_string_len(name, (int) (end - name)));
	free(name);
}

bool chat_request_parse(struct span body, const struct chat_wanted *wanted,
			struct chat_request *ret_request, struct bytes *error)
{
	struct json_tokener *tokener = must_have(json_tokener_new_ex(DEPTH_MAX));
	struct chat_request request = { .dialect = wanted->dialect, .stream = wanted->stream,
					.wants_vectors = wanted->vectors };
	bool (*read)(struct chat_request *request, struct bytes *error) =
		wanted->vectors ? wanted->dialect->vectors->read : wanted->dialect->read;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	request.json = json_tokener_parse_ex(tokener, body.data ? body.data : "", (int) body.size);
	json_tokener_free(tokener);
	if (!json_object_is_type(request.json, json_type_object)) {
		bytes_text(error, "we could not parse the JSON body of your request");
		chat_request_done(&request);
		return false;
	}
	if (wanted->model.data)
		take_model(&request, wanted->model);
	request.model = chat_text_member(request.json, "model");
	if (!request.model)
		bytes_text(error, "you must provide a model parameter");
	if (!request.model || !read(&request, error)) {
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
	free(request->tools);
	free(request->recorded);
	*request = (struct chat_request) { 0 };
}

/* ---- Streams ---- */

struct span chat_take_piece(struct span *text)
{
	size_t n = text->size < DELTA_SIZE_MIN ? text->size : DELTA_SIZE_MIN;
	struct span piece = { text->data, 0 };

	while (n < text->size && text->data[n - 1] != ' ' && text->data[n - 1] != '\n')
		n++;
	piece.size = n;
	text->data += n;
	text->size -= n;
	return piece;
}

void chat_write_event(struct bytes *out, const char *name, struct bytes *event)
{
	size_t size = event->size + 8 + (name ? strlen(name) + 8 : 0);

	bytes_printf(out, "%zx\r\n", size);
	if (name)
		bytes_printf(out, "event: %s\n", name);
	bytes_text(out, "data: ");
	bytes_append(out, event->data, event->size);
	bytes_text(out, "\n\n\r\n");
	bytes_clear(event);
}

void chat_write_stream_end(struct bytes *out, bool done)
{
	struct bytes event = { 0 };

	bytes_text(&event, "[DONE]");
	if (done)
		chat_write_event(out, NULL, &event);
	bytes_text(out, "0\r\n\r\n");
	bytes_done(&event);
}

/* ---- What is said ---- */

/* A value that fits one property's schema, as far as its type and enum say. */
static void write_property(struct json_object *schema, const char *text, struct bytes *out)
{
	const char *type = chat_text_member(schema, "type");
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

void chat_structured_text(struct json_object *schema, const char *text, struct bytes *out)
{
	struct json_object *properties = chat_member(schema, "properties");
	const char *separator = "";

	bytes_text(out, "{");
	if (json_object_is_type(properties, json_type_object)) {
		json_object_object_foreach(properties, name, value) {
			bytes_text(out, separator);
			bytes_json(out, span_of(name));
			bytes_text(out, ": ");
			write_property(value, text, out);
			separator = ", ";
		}
	} else {
		bytes_text(out, "\"answer\": ");
		bytes_json(out, span_of(text));
	}
	bytes_text(out, "}");
}
