/*
 * The dialect that a config brings along (type Custom): a request's body with places in it, and where in
 * an answer things are. Both are taken apart when the target is made. What stands for nothing in a call
 * is left out, with the name before it.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/openai_form.h"
#include "daemon/backend/dialect/request.h"
#include "proto/content/custom_template.h"
#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/provider.h"
#include "proto/record/record.h"

/* What goes into the body one after the other. */
enum piece_kind {
	PIECE_TEXT, // as it is
	PIECE_NEXT, // a comma, unless it is the first, and the text
	PIECE_PLACE, // the same, and what the place stands for; or nothing of it
};

struct custom_piece {
	enum piece_kind kind;
	const char *text;
	const char *place; // its name
	const struct custom_piece *next;
};

/* The names and numbers on a path into a document. */
struct custom_path {
	const char *const *steps;
	size_t n_steps;
	bool given;
};

struct custom_settings {
	const struct custom_piece *body; // up to the brace that ends it
	struct custom_path text, tool_calls, finish_reason, input_tokens, output_tokens, error;
};

/* ---- Taking apart ---- */

struct writer {
	struct arena *arena;
	const struct custom_piece **end;
	bool failed;
	bool has_key;
};

static void add(struct writer *writer, enum piece_kind kind, const char *text, const char *place)
{
	struct custom_piece *piece = arena_alloc(writer->arena, sizeof(*piece));

	if (!piece || !text) {
		writer->failed = true;
		return;
	}
	*piece = (struct custom_piece){ .kind = kind, .text = text, .place = place };
	*writer->end = piece;
	writer->end = &piece->next;
}

static void take_value(struct writer *writer, json_object *value);

/* A member, whose name is quoted already, or an element. */
static void take_part(struct writer *writer, const char *name, json_object *value)
{
	char *place = json_object_is_type(value, json_type_string) ?
			      custom_place_of(json_object_get_string(value), writer->arena) : NULL;

	if (place) {
		writer->has_key |= strcmp(place, CUSTOM_KEY) == 0;
		add(writer, PIECE_PLACE, name, place);
		return;
	}
	add(writer, PIECE_NEXT, name, NULL);
	take_value(writer, value);
}

static void take_members(struct writer *writer, json_object *object)
{
	struct buffer text = { 0 };

	json_object_object_foreach(object, name, value) {
		buffer_clear(&text);
		buffer_json(&text, name);
		buffer_text(&text, ":");
		take_part(writer, text.failed ? NULL : arena_strndup(writer->arena, text.data, text.size),
			  value);
	}
	buffer_done(&text);
}

static void take_value(struct writer *writer, json_object *value)
{
	if (json_object_is_type(value, json_type_object)) {
		add(writer, PIECE_TEXT, "{", NULL);
		take_members(writer, value);
		add(writer, PIECE_TEXT, "}", NULL);
	} else if (json_object_is_type(value, json_type_array)) {
		add(writer, PIECE_TEXT, "[", NULL);
		for (size_t i = 0; i < json_object_array_length(value); i++)
			take_part(writer, "", json_object_array_get_idx(value, i));
		add(writer, PIECE_TEXT, "]", NULL);
	} else {
		add(writer, PIECE_TEXT,
		    arena_strdup(writer->arena,
				 json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
								       JSON_C_TO_STRING_NOSLASHESCAPE)),
		    NULL);
	}
}

static int take_path(const char *pointer, struct arena *arena, struct custom_path *path)
{
	path->given = pointer != NULL;
	return pointer ? custom_path_take(pointer, arena, &path->steps, &path->n_steps) : 0;
}

static int take_settings(struct llm_target *target, const struct ellu_custom *given,
			 bool *ret_has_key, struct fault *fault)
{
	struct arena *arena = &target->arena;
	struct custom_settings *settings = arena_alloc(arena, sizeof(*settings));
	struct writer writer = { .arena = arena };
	json_object *body;
	int r;

	if (!settings)
		return fault_oom(fault);
	*settings = (struct custom_settings){ 0 };
	r = json_parse_strict(given->body, strlen(given->body), &body, fault);
	if (r < 0)
		return r;
	writer.end = &settings->body;
	add(&writer, PIECE_TEXT, "{", NULL);
	take_members(&writer, body);
	json_object_put(body);
	if (writer.failed || take_path(given->text, arena, &settings->text) < 0 ||
	    take_path(given->tool_calls, arena, &settings->tool_calls) < 0 ||
	    take_path(given->finish_reason, arena, &settings->finish_reason) < 0 ||
	    take_path(given->input_tokens, arena, &settings->input_tokens) < 0 ||
	    take_path(given->output_tokens, arena, &settings->output_tokens) < 0 ||
	    take_path(given->error, arena, &settings->error) < 0)
		return fault_oom(fault);
	target->custom = settings;
	*ret_has_key = writer.has_key;
	return 0;
}

static bool header_has_key(const struct ellu_llm_config *config)
{
	for (size_t i = 0; i < config->n_extra_headers; i++)
		if (strstr(config->extra_headers[i].value, TARGET_KEY_PLACE))
			return true;
	return target_has_header(config, "Authorization");
}

static int prepare(struct llm_target *target, const struct ellu_llm_config *config,
		   struct fault *fault)
{
	bool has_key = false;
	void *record;
	int r;

	if (!config->custom)
		return fault_invalid(fault, "llm_config.custom", "what is asked and answered");
	r = record_from_text(&ellu_custom_type, config->custom, strlen(config->custom), FROM_CLIENT,
			     &target->arena, &record, fault);
	if (r >= 0)
		r = take_settings(target, record, &has_key, fault);
	if (r >= 0 && target->key && !has_key && !header_has_key(config) &&
	    target_add_header(target, "Authorization", "Bearer ", target->key) < 0)
		r = fault_oom(fault);
	return r < 0 ? r : request_take_extra(target, config, fault);
}

/* ---- Requests ---- */

/* All that is said, one text after the other. */
static void put_prompt(const struct llm_call *call, struct buffer *body)
{
	struct buffer text = { 0 };
	const char *system_message = request_system(call);

	if (system_message)
		buffer_text(&text, system_message);
	for (size_t i = 0; i < call->n_messages; i++) {
		const struct ellu_message *message = call->messages[i];

		if (message->content) {
			buffer_text(&text, text.size > 0 ? "\n\n" : "");
			buffer_text(&text, message->content);
		}
		for (size_t k = 0; k < message->n_parts; k++) {
			if (!message->parts[k]->text)
				continue;
			buffer_text(&text, text.size > 0 ? "\n\n" : "");
			buffer_text(&text, message->parts[k]->text);
		}
	}
	buffer_append(&text, "", 1);
	body->failed |= text.failed;
	buffer_json(body, text.failed ? "" : text.data);
	buffer_done(&text);
}

static void put_tools(const struct llm_call *call, struct buffer *body)
{
	buffer_text(body, "[");
	for (size_t i = 0; i < call->n_tools; i++) {
		request_element(body);
		openai_put_tool(call->tools[i], body);
	}
	buffer_text(body, "]");
}

static void put_texts(const char *const *texts, size_t n, struct buffer *body)
{
	buffer_text(body, "[");
	for (size_t i = 0; i < n; i++) {
		request_element(body);
		buffer_json(body, texts[i]);
	}
	buffer_text(body, "]");
}

/* A parameter by its name, which is one. */
static void put_param(const struct ellu_generation_params *params, const char *name,
		      struct buffer *body)
{
	const struct record_field *field = record_field_find(&ellu_generation_params_type, name);
	const void *value = record_member(&ellu_generation_params_type, params, name);

	if (field->container == FIELD_ARRAY)
		put_texts(value, *(const size_t *)((const char *)params + field->count_offset), body);
	else if (field->kind == FIELD_INT)
		buffer_int(body, *(const int64_t *)value);
	else if (field->kind == FIELD_FLOAT)
		buffer_float(body, *(const double *)value);
	else if (field->kind == FIELD_BOOL)
		buffer_text(body, *(const int *)value ? "true" : "false");
	else
		buffer_json(body, value);
}

static bool is(const char *place, const char *name)
{
	return strcmp(place, name) == 0;
}

static bool stands_for_something(const struct llm_call *call,
				 const struct ellu_generation_params *params, const char *place)
{
	if (is(place, "messages") || is(place, "prompt") || is(place, "model"))
		return true;
	if (is(place, CUSTOM_KEY))
		return call->target->key;
	if (is(place, "tools"))
		return call->n_tools > 0;
	if (is(place, "tool_choice"))
		return call->tool_choice;
	if (is(place, "schema"))
		return call->response_format;
	return record_member(&ellu_generation_params_type, params, place);
}

static void put_place(const struct llm_call *call, const struct ellu_generation_params *params,
		      const char *place, struct buffer *body)
{
	if (is(place, "messages"))
		openai_put_message_list(call, body);
	else if (is(place, "prompt"))
		put_prompt(call, body);
	else if (is(place, "model"))
		buffer_json(body, call->target->model);
	else if (is(place, CUSTOM_KEY))
		buffer_json(body, call->target->key);
	else if (is(place, "tools"))
		put_tools(call, body);
	else if (is(place, "tool_choice"))
		buffer_json(body, call->tool_choice);
	else if (is(place, "schema"))
		buffer_text(body, call->response_format);
	else
		put_param(params, place, body);
}

static void request(const struct llm_call *call, const struct request_form *form,
		    struct buffer *body)
{
	const struct ellu_generation_params params = request_params(call);
	const struct custom_piece *piece = call->target->custom->body;
	const char *extra = call->target->extra_json;
	const size_t begin = body->size;

	(void)form;
	for (; piece; piece = piece->next) {
		if (piece->kind == PIECE_PLACE && !stands_for_something(call, &params, piece->place))
			continue;
		if (piece->kind != PIECE_TEXT)
			request_element(body);
		buffer_text(body, piece->text);
		if (piece->kind == PIECE_PLACE)
			put_place(call, &params, piece->place, body);
	}
	buffer_text(body, extra + (*extra && body->size == begin + 1));
	buffer_text(body, "}");
}

/* ---- Answers ---- */

/* What is there, or NULL. */
static struct json_value *follow(const struct custom_path *path, struct json_value *json)
{
	if (!path->given)
		return NULL;
	for (size_t i = 0; i < path->n_steps && json; i++) {
		struct json_value *element = json_first(json);
		char *end;

		if (!json_is(json, JSON_ARRAY)) {
			json = json_is(json, JSON_OBJECT) ? json_member(json, path->steps[i]) : NULL;
			continue;
		}
		for (unsigned long n = strtoul(path->steps[i], &end, 10); n > 0 && element; n--)
			element = json_next(json, element);
		json = element && !*end && end != path->steps[i] ? element : NULL;
	}
	return json;
}

/* A text, or several, be they members `text` of objects. */
static void read_text(struct json_value *text, struct answer *answer)
{
	struct json_value *part;

	if (!json_is(text, JSON_ARRAY)) {
		answer_text(answer, text);
		return;
	}
	JSON_EACH(part, text)
		answer_text(answer, json_is(part, JSON_OBJECT) ? json_member(part, "text") : part);
}

/* Each with its name and arguments at the top, or in a `function`. */
static void read_tool_calls(struct json_value *tool_calls, struct answer *answer)
{
	static const char *const names[] = { "arguments", "input", "args" };
	struct json_value *tool_call;

	JSON_EACH(tool_call, tool_calls) {
		struct json_value *function = json_member(tool_call, "function"), *arguments = NULL;

		if (!json_is(function, JSON_OBJECT))
			function = tool_call;
		for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !arguments; i++)
			arguments = json_member(function, names[i]);
		answer_tool_call(answer, json_member(tool_call, "id"), json_member(function, "name"),
				 arguments, NULL);
	}
}

static void whole(struct json_value *json, struct answer *answer)
{
	const struct custom_settings *settings = answer->call->target->custom;
	struct json_value *reason = follow(&settings->finish_reason, json);

	answer_usage(answer, follow(&settings->input_tokens, json),
		     follow(&settings->output_tokens, json), NULL);
	if (follow(&settings->error, json)) {
		answer_failed(answer, json);
		return;
	}
	read_text(follow(&settings->text, json), answer);
	read_tool_calls(follow(&settings->tool_calls, json), answer);
	if (json_is(reason, JSON_TEXT))
		answer_finish_reason(answer, json_words(reason));
}

/* Where it was not said, or nothing is there, it is where others have it. */
static void refusal(struct json_value *json, struct refusal *refusal)
{
	struct json_value *error = follow(&refusal->target->custom->error, json);

	openai_refusal(json, refusal);
	if (error)
		refusal->message = json_words(error);
}

const struct dialect custom_dialects[] = {
	{
		.name = ELLU_PROVIDER_CUSTOM,
		.path = "",
		.media = MEDIA_ALL,
		.prepare = prepare,
		.request = request,
		.whole = whole,
		.event = whole,
		.refusal = refusal,
	},
	{ 0 },
};
