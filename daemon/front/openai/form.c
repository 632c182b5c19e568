#include "daemon/front/openai/form.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elluminate-types.h"

#define PATH_SIZE 256

static int unsupported(struct fault *fault, const char *path, const char *what)
{
	fault_set(fault, ELLU_E_UNSUPPORTED, "%s: %s", path, what);
	snprintf(fault->field, sizeof(fault->field), "%s", path);
	return fault->code;
}

/* A path that is too long is cut. */
__attribute__((format(printf, 2, 3))) static void path_put(char ret_path[static PATH_SIZE],
							   const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_path, PATH_SIZE, format, arguments);
	va_end(arguments);
}

static bool wants(json_object *value, json_type type, const char *path, const char *expected,
		  struct fault *fault)
{
	if (json_object_is_type(value, type))
		return true;
	fault_invalid(fault, path, "%s", expected);
	return false;
}

static bool is_type(json_object *object, const char *type)
{
	const char *given = member_text(object, "type");

	return given && strcmp(given, type) == 0;
}

/* ---- Parts of messages ---- */

/* "data:image/png;base64,..." becomes its bytes and their type, anything else stays an address. */
static json_object *media_of(struct json_maker *maker, const char *url)
{
	static const char mark[] = ";base64,";
	json_object *media = make_object(maker);
	const char *data = strncmp(url, "data:", 5) == 0 ? strstr(url, mark) : NULL;
	const char *semicolon = data ? strchr(url, ';') : NULL;

	if (!data) {
		put_text(maker, media, "url", url);
		return media;
	}
	if (semicolon > url + 5)
		put(maker, media, "media_type",
		    json_object_new_string_len(url + 5, (int)(semicolon - url - 5)));
	put_text(maker, media, "data", data + strlen(mark));
	return media;
}

static json_object *document_of(struct json_maker *maker, json_object *file, const char *path,
				struct fault *fault)
{
	const char *data = member_text(file, "file_data");
	json_object *media;

	if (!data) {
		unsupported(fault, path, "a file is given by its file_data");
		return NULL;
	}
	media = media_of(maker, data);
	put_present(maker, media, "name", file, "filename");
	return media;
}

static json_object *part_of(struct json_maker *maker, json_object *given, const char *path,
			    struct fault *fault)
{
	json_object *part = make_object(maker);
	const char *url = member_text(member(given, "image_url"), "url");

	if (is_type(given, "text") && member_text(given, "text")) {
		put_copy(maker, part, "text", given, "text");
	} else if (is_type(given, "refusal") && member_text(given, "refusal")) {
		put_copy(maker, part, "text", given, "refusal");
	} else if (is_type(given, "image_url") && url) {
		put(maker, part, "image", media_of(maker, url));
	} else if (is_type(given, "file")) {
		put(maker, part, "document", document_of(maker, member(given, "file"), path, fault));
	} else if (is_type(given, "text") || is_type(given, "image_url") || is_type(given, "refusal")) {
		fault_invalid(fault, path, "the content that its type says");
	} else {
		unsupported(fault, path, "a part is a text, an image_url or a file");
	}
	return part;
}

static json_object *parts_of(struct json_maker *maker, json_object *given, const char *path,
			     struct fault *fault)
{
	json_object *parts = make_array(maker);
	char item[PATH_SIZE];

	for (size_t i = 0; i < array_length(given) && !fault->code; i++) {
		path_put(item, "%s[%zu]", path, i);
		append(maker, parts,
		       part_of(maker, json_object_array_get_idx(given, i), item, fault));
	}
	return parts;
}

/* ---- Messages ---- */

static json_object *tool_calls_of(struct json_maker *maker, json_object *given, const char *path,
				  struct fault *fault)
{
	json_object *calls = make_array(maker);
	char item[PATH_SIZE];

	for (size_t i = 0; i < array_length(given); i++) {
		json_object *one = json_object_array_get_idx(given, i), *call = make_object(maker);
		json_object *function = member_object(one, "function");

		path_put(item, "%s[%zu].function", path, i);
		append(maker, calls, call);
		if (!wants(function, json_type_object, item, "an object with name and arguments", fault))
			break;
		put_present(maker, call, "id", one, "id");
		put_present(maker, call, "name", function, "name");
		put_present(maker, call, "arguments", function, "arguments");
	}
	return calls;
}

/* What a model or a tool answered may be nothing, which clients send back as null or as an empty list. */
static void put_content(struct json_maker *maker, json_object *message, json_object *given, const char *path,
			struct fault *fault)
{
	json_object *content = member(given, "content");
	bool is_answer = member_says(given, "role", "assistant") || member_says(given, "role", "tool");

	if (array_length(content) > 0)
		put(maker, message, "parts", parts_of(maker, content, path, fault));
	else if (content && !json_object_is_type(content, json_type_array))
		put_copy(maker, message, "content", given, "content");
	else if (member(given, "refusal"))
		put_copy(maker, message, "content", given, "refusal");
	else if (is_answer && array_length(member(given, "tool_calls")) == 0)
		put_text(maker, message, "content", "");
}

static json_object *message_of(struct json_maker *maker, json_object *given, const char *path,
			       struct fault *fault)
{
	json_object *message = make_object(maker), *calls = member(given, "tool_calls");
	char field[PATH_SIZE];

	if (!wants(given, json_type_object, path, "a message: an object with role and content", fault))
		return message;
	put_present(maker, message, "role", given, "role");
	put_present(maker, message, "tool_call_id", given, "tool_call_id");
	put_present(maker, message, "name", given, "name");
	path_put(field, "%s.content", path);
	put_content(maker, message, given, field, fault);
	path_put(field, "%s.tool_calls", path);
	if (calls && wants(calls, json_type_array, field, "a list", fault) && array_length(calls) > 0)
		put(maker, message, "tool_calls", tool_calls_of(maker, calls, field, fault));
	return message;
}

static json_object *given_or_null(struct json_maker *maker, json_object *made,
				  const struct fault *fault)
{
	if (!maker->failed && !fault->code)
		return made;
	json_object_put(made);
	return NULL;
}

json_object *messages_from_openai(struct json_maker *maker, json_object *messages, const char *path,
				  struct fault *fault)
{
	json_object *list;
	char item[PATH_SIZE];

	if (!wants(messages, json_type_array, path, "a list of messages", fault))
		return NULL;
	list = make_array(maker);
	for (size_t i = 0; i < array_length(messages) && !fault->code; i++) {
		path_put(item, "%s[%zu]", path, i);
		append(maker, list,
		       message_of(maker, json_object_array_get_idx(messages, i), item, fault));
	}
	return given_or_null(maker, list, fault);
}

static json_object *content_parts(struct json_maker *maker, json_object *parts);

json_object *tool_calls_to_openai(struct json_maker *maker, json_object *calls)
{
	json_object *list = make_array(maker);

	for (size_t i = 0; i < array_length(calls); i++) {
		json_object *one = json_object_array_get_idx(calls, i), *call = make_object(maker);
		json_object *function = make_object(maker);

		put_copy(maker, call, "id", one, "id");
		put_text(maker, call, "type", "function");
		put_copy(maker, function, "name", one, "name");
		put_copy(maker, function, "arguments", one, "arguments");
		put(maker, call, "function", function);
		append(maker, list, call);
	}
	return list;
}

json_object *messages_to_openai(struct json_maker *maker, json_object *messages)
{
	json_object *list = make_array(maker);

	for (size_t i = 0; i < array_length(messages); i++) {
		json_object *one = json_object_array_get_idx(messages, i), *message = make_object(maker);
		json_object *calls = member(one, "tool_calls"), *parts = member(one, "parts");

		put_copy(maker, message, "role", one, "role");
		if (parts)
			put(maker, message, "content", content_parts(maker, parts));
		else
			put_copy(maker, message, "content", one, "content");
		if (array_length(calls) > 0)
			put(maker, message, "tool_calls", tool_calls_to_openai(maker, calls));
		put_present(maker, message, "tool_call_id", one, "tool_call_id");
		put_present(maker, message, "name", one, "name");
		append(maker, list, message);
	}
	return list;
}

/* The address of what lies in the message itself. */
static json_object *url_of(struct json_maker *maker, json_object *media)
{
	const char *data = member_text(media, "data"), *type = member_text(media, "media_type");
	size_t size;
	char *url;
	json_object *text;

	if (!data)
		return json_object_get(member(media, "url"));
	type = type ? type : "application/octet-stream";
	size = strlen(data) + strlen(type) + 14;
	url = malloc(size);
	if (!url) {
		maker->failed = true;
		return NULL;
	}
	snprintf(url, size, "data:%s;base64,%s", type, data);
	text = make_text(maker, url);
	free(url);
	return text;
}

static json_object *content_parts(struct json_maker *maker, json_object *parts)
{
	json_object *list = make_array(maker);

	for (size_t i = 0; i < array_length(parts); i++) {
		json_object *one = json_object_array_get_idx(parts, i), *part = make_object(maker);
		json_object *image = member(one, "image"), *document = member(one, "document");
		json_object *inner = image || document ? make_object(maker) : NULL;

		put_text(maker, part, "type", image ? "image_url" : document ? "file" : "text");
		if (image) {
			put(maker, inner, "url", url_of(maker, image));
			put(maker, part, "image_url", inner);
		} else if (document) {
			put(maker, inner, "file_data", url_of(maker, document));
			put_present(maker, inner, "filename", document, "name");
			put(maker, part, "file", inner);
		} else {
			put_copy(maker, part, "text", one, "text");
		}
		append(maker, list, part);
	}
	return list;
}

/* ---- Tools ---- */

static json_object *tools_from_openai(struct json_maker *maker, json_object *tools, const char *path,
			       struct fault *fault)
{
	json_object *list;
	char item[PATH_SIZE];

	if (!wants(tools, json_type_array, path, "a list of tools", fault))
		return NULL;
	list = make_array(maker);
	for (size_t i = 0; i < array_length(tools); i++) {
		json_object *one = json_object_array_get_idx(tools, i), *tool = make_object(maker);
		json_object *function = member_object(one, "function");

		append(maker, list, tool);
		path_put(item, "%s[%zu].function", path, i);
		if (!wants(function, json_type_object, item, "a function: tools of other types are unknown",
			   fault))
			break;
		put_present(maker, tool, "name", function, "name");
		put_present(maker, tool, "description", function, "description");
		put_present(maker, tool, "parameters", function, "parameters");
	}
	return given_or_null(maker, list, fault);
}

json_object *tools_to_openai(struct json_maker *maker, json_object *tools)
{
	json_object *list = make_array(maker);

	for (size_t i = 0; i < array_length(tools); i++) {
		json_object *one = json_object_array_get_idx(tools, i), *tool = make_object(maker);
		json_object *function = make_object(maker);

		put_copy(maker, function, "name", one, "name");
		put_present(maker, function, "description", one, "description");
		put_present(maker, function, "parameters", one, "parameters");
		put_text(maker, tool, "type", "function");
		put(maker, tool, "function", function);
		append(maker, list, tool);
	}
	return list;
}

static json_object *tool_choice_from_openai(struct json_maker *maker, json_object *choice, const char *path,
				     struct fault *fault)
{
	const char *name = member_text(member(choice, "function"), "name");

	if (!choice || json_object_is_type(choice, json_type_string))
		return json_object_get(choice);
	if (!name) {
		fault_invalid(fault, path, "auto, none, required, or the function to call");
		return NULL;
	}
	return make_text(maker, name);
}

json_object *tool_choice_to_openai(struct json_maker *maker, const char *choice)
{
	json_object *object, *function;

	if (!choice || strcmp(choice, "auto") == 0 || strcmp(choice, "none") == 0 ||
	    strcmp(choice, "required") == 0)
		return make_text(maker, choice);
	object = make_object(maker);
	function = make_object(maker);
	put_text(maker, function, "name", choice);
	put_text(maker, object, "type", "function");
	put(maker, object, "function", function);
	return object;
}

/* ---- Formats ---- */

static json_object *schema_from_openai(struct json_maker *maker, json_object *format, const char *path,
				struct fault *fault)
{
	json_object *schema = member_object(member(format, "json_schema"), "schema"), *any;

	if (!format || is_type(format, "text"))
		return NULL;
	if (!wants(format, json_type_object, path, "an object", fault))
		return NULL;
	if (is_type(format, "json_schema")) {
		if (!schema)
			fault_invalid(fault, path, "a json_schema with a schema");
		return json_object_get(schema);
	}
	if (!is_type(format, "json_object")) {
		fault_invalid(fault, path, "text, json_object or json_schema as its type");
		return NULL;
	}
	any = make_object(maker);
	put_text(maker, any, "type", "object");
	return any;
}

bool asked_from_openai(struct json_maker *maker, json_object *given, const char *format, json_object *to,
		       struct fault *fault)
{
	json_object *tools = member(given, "tools"), *choice, *schema;

	put(maker, to, "messages", messages_from_openai(maker, member(given, "messages"), "messages", fault));
	if (!fault->code && tools)
		put(maker, to, "tools", tools_from_openai(maker, tools, "tools", fault));
	choice = fault->code ? NULL :
			       tool_choice_from_openai(maker, member(given, "tool_choice"), "tool_choice", fault);
	if (choice)
		put(maker, to, "tool_choice", choice);
	schema = fault->code ? NULL : schema_from_openai(maker, member(given, format), format, fault);
	if (schema)
		put(maker, to, "response_format", schema);
	return schema != NULL;
}

json_object *schema_to_openai(struct json_maker *maker, json_object *schema)
{
	json_object *format, *named;

	if (!schema)
		return NULL;
	format = make_object(maker);
	named = make_object(maker);
	put_text(maker, named, "name", "response");
	put(maker, named, "schema", json_object_get(schema));
	put_bool(maker, named, "strict", true);
	put_text(maker, format, "type", "json_schema");
	put(maker, format, "json_schema", named);
	return format;
}
