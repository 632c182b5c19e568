/*
 * Answers and errors in the dialect of OpenAI's chat completions, read leniently: providers
 * leave out what they do not know. Only an answer without any choice is none.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/backend/dialect.h"
#include "proto/limits.h"
#include "proto/utf8.h"

#define CHECKED_BODY_BYTES (512u * 1024) // smaller ones cannot hold too many values
#define EXCERPT_BYTES 200

static json_object *member(json_object *object, const char *name)
{
	json_object *value = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, name, &value);
	return value;
}

static const char *text_member(json_object *object, const char *name)
{
	json_object *value = member(object, name);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static int64_t count_member(json_object *object, const char *name)
{
	json_object *value = member(object, name);

	if (!json_object_is_type(value, json_type_int) &&
	    !json_object_is_type(value, json_type_double))
		return -1;
	return json_object_get_int64(value) < 0 ? -1 : json_object_get_int64(value);
}

/* json-c spends much more memory on a value than its text takes. */
static bool has_too_many_values(const char *body, size_t size)
{
	size_t n = 0;
	bool quoted = false;

	if (size < CHECKED_BODY_BYTES)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (body[i] == '"')
			quoted = !quoted;
		else if (quoted && body[i] == '\\')
			i++;
		else if (!quoted && (body[i] == ',' || body[i] == '[' || body[i] == '{'))
			n++;
	}
	return n > JSON_VALUES_MAX;
}

/* The one JSON value that the text is, or NULL. */
static json_object *parse(json_tokener *tokener, const char *body, size_t size)
{
	json_object *json;

	if (has_too_many_values(body, size))
		return NULL;
	json_tokener_reset(tokener);
	json = json_tokener_parse_ex(tokener, body, (int)size);
	if (json_tokener_get_error(tokener) != json_tokener_success) {
		json_object_put(json);
		return NULL;
	}
	for (size_t i = json_tokener_get_parse_end(tokener); i < size; i++) {
		if (!strchr(" \t\r\n", body[i])) {
			json_object_put(json);
			return NULL;
		}
	}
	return json;
}

/* The body with all that is no UTF-8 replaced: json-c would pass it on. *ret_copy is freed by
 * the caller; NULL: the body was clean. */
static int clean_body(const char **body, size_t *size, char **ret_copy, size_t *ret_replaced)
{
	size_t clean_size;
	int r;

	if (!memchr(*body, 0, *size) && utf8_valid(*body, *size, NULL))
		return 0;
	r = utf8_clean(*body, *size, ret_copy, &clean_size, ret_replaced);
	if (r < 0)
		return r;
	*body = *ret_copy;
	*size = clean_size;
	return 0;
}

/* A decoded string may hold NUL, which JSON writes \u0000. */
static const char *take_text(struct llm_call *call, const char *text, size_t size)
{
	size_t clean_size, replaced = 0;
	const char *copy;
	char *clean;

	if (!memchr(text, 0, size))
		return arena_strndup(&call->arena, text, size);
	if (utf8_clean(text, size, &clean, &clean_size, &replaced) < 0)
		return NULL;
	call->replaced += (int64_t)replaced;
	copy = arena_strndup(&call->arena, clean, clean_size);
	free(clean);
	return copy;
}

static void put_tool_call(json_object *json, size_t index, struct buffer *out)
{
	json_object *function = member(json, "function");
	json_object *arguments = member(function, "arguments");
	const char *id = text_member(json, "id"), *name = text_member(function, "name");
	char made_up[32] = "call_";

	/* Some servers leave the id out; results need one to refer to. */
	if (!id) {
		struct buffer number = { made_up, 5, sizeof(made_up), false };

		buffer_int(&number, (int64_t)index);
		made_up[number.size] = '\0';
		id = made_up;
	}
	buffer_text(out, index == 0 ? "{\"id\":" : ",{\"id\":");
	buffer_json(out, id);
	buffer_text(out, ",\"name\":");
	buffer_json(out, name ? name : "");
	buffer_text(out, ",\"arguments\":");
	/* JSON text by the dialect's rules, a plain object in some servers' answers. */
	if (json_object_is_type(arguments, json_type_string))
		buffer_json(out, json_object_get_string(arguments));
	else
		buffer_json(out, arguments ? json_object_to_json_string_ext(arguments,
								JSON_C_TO_STRING_PLAIN) : "{}");
	buffer_text(out, "}");
}

static int take_tool_calls(struct llm_call *call, json_object *tool_calls)
{
	struct buffer out = { 0 };
	size_t n;

	if (!json_object_is_type(tool_calls, json_type_array))
		return 0;
	n = json_object_array_length(tool_calls);
	if (n == 0)
		return 0;
	buffer_text(&out, "[");
	for (size_t i = 0; i < n; i++)
		put_tool_call(json_object_array_get_idx(tool_calls, i), i, &out);
	buffer_text(&out, "]");
	if (!out.failed)
		call->tool_calls = arena_strndup(&call->arena, out.data, out.size);
	buffer_done(&out);
	return call->tool_calls ? 0 : -1;
}

/* The text of a content that is a string or a list of parts, into `out`. */
static bool join_content(json_object *content, struct buffer *out)
{
	if (json_object_is_type(content, json_type_string)) {
		buffer_append(out, json_object_get_string(content),
			      (size_t)json_object_get_string_len(content));
		return true;
	}
	if (!json_object_is_type(content, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(content); i++) {
		json_object *part = member(json_object_array_get_idx(content, i), "text");

		if (json_object_is_type(part, json_type_string))
			buffer_append(out, json_object_get_string(part),
				      (size_t)json_object_get_string_len(part));
	}
	return true;
}

/* What the model said: its text, else its refusal, else nothing beside tool calls. */
static int take_content(struct llm_call *call, json_object *choice)
{
	json_object *message = member(choice, "message");
	json_object *refusal = member(message, "refusal");
	struct buffer text = { 0 };
	bool has_text;
	int r = 0;

	has_text = join_content(message ? member(message, "content") : member(choice, "text"),
				&text);
	if (text.size == 0 && json_object_is_type(refusal, json_type_string)) {
		has_text = join_content(refusal, &text);
		if (!call->finish_reason || strcmp(call->finish_reason, "stop") == 0)
			call->finish_reason = "refusal";
	}
	if (take_tool_calls(call, member(message, "tool_calls")) < 0)
		r = -1;
	if (has_text || !call->tool_calls) {
		call->text = take_text(call, text.data ? text.data : "", text.size);
		if (!call->text || text.failed)
			r = -1;
	}
	buffer_done(&text);
	return r;
}

static void take_usage(struct llm_call *call, json_object *usage)
{
	call->input_tokens = count_member(usage, "prompt_tokens");
	call->output_tokens = count_member(usage, "completion_tokens");
	call->reasoning_tokens = count_member(member(usage, "completion_tokens_details"),
					      "reasoning_tokens");
	call->cost_nanodollars = target_cost(call->target, call->input_tokens,
					     call->output_tokens);
}

static void take_answer(struct llm_call *call, json_object *json, struct attempt *attempt)
{
	json_object *choices = member(json, "choices");
	json_object *error = member(json, "error");
	json_object *choice = NULL;
	const char *finish_reason;

	if (error) {
		const char *words = json_object_is_type(error, json_type_string) ?
					    json_object_get_string(error) :
					    text_member(error, "message");

		attempt_fail(attempt, ATTEMPT_RETRY, "%s",
			     words ? words : "the answer is an error without a message");
		return;
	}
	if (json_object_is_type(choices, json_type_array) && json_object_array_length(choices) > 0)
		choice = json_object_array_get_idx(choices, 0);
	if (!member(choice, "message") && !member(choice, "text")) {
		attempt_fail(attempt, ATTEMPT_RETRY, "the answer has no choices");
		return;
	}
	finish_reason = text_member(choice, "finish_reason");
	call->finish_reason = arena_strdup(&call->arena, finish_reason);
	if ((finish_reason && !call->finish_reason) || take_content(call, choice) < 0) {
		attempt_fail(attempt, ATTEMPT_RETRY, "out of memory");
		return;
	}
	take_usage(call, member(json, "usage"));
	if (call->text && strlen(call->text) > RESPONSE_TEXT_MAX) {
		attempt_fail(attempt, ATTEMPT_ITEM, "the answer's text is longer than %u bytes",
			     RESPONSE_TEXT_MAX);
		attempt->code = ELLU_E_TOO_LARGE;
		return;
	}
	attempt->class = ATTEMPT_ANSWERED;
}

static void forget_answer(struct llm_call *call)
{
	arena_done(&call->arena);
	call->text = call->tool_calls = call->finish_reason = NULL;
	call->replaced = 0;
	call->input_tokens = call->output_tokens = call->reasoning_tokens = -1;
	call->cost_nanodollars = -1;
}

void openai_read_answer(struct llm_call *call, json_tokener *tokener, const char *body,
			size_t size, struct attempt *attempt)
{
	size_t replaced = 0;
	json_object *json;
	char *copy = NULL;

	if (clean_body(&body, &size, &copy, &replaced) < 0) {
		attempt_fail(attempt, ATTEMPT_RETRY, "out of memory");
		return;
	}
	json = parse(tokener, body, size);
	if (json_object_is_type(json, json_type_object)) {
		call->replaced = (int64_t)replaced;
		take_answer(call, json, attempt);
		if (attempt->class != ATTEMPT_ANSWERED)
			forget_answer(call);
	} else {
		attempt_fail(attempt, ATTEMPT_RETRY, "the answer is not a JSON object");
	}
	json_object_put(json);
	free(copy);
}

static bool names(const char *text, const char *what)
{
	return text && strcasestr(text, what);
}

/* Providers say it in the code, the type, the parameter or only in words. */
static enum error_hint hint_of(int status, const char *code, const char *param,
			       const char *message)
{
	static const char *const formats[] = { "response_format", "json_schema", "json_object",
					       "structured output", "guided_json", "grammar" };

	if (names(code, "content_filter") || names(code, "content_policy") ||
	    names(code, "moderation") || names(code, "context_length"))
		return HINT_CONTENT;
	if (status == 403 && (names(message, "moderation") || names(message, "flagged")))
		return HINT_CONTENT;
	if (status != 400 && status != 422)
		return HINT_NONE;
	if (names(message, "max_completion_tokens") || names(param, "max_completion_tokens"))
		return HINT_MAX_TOKENS;
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		if (names(param, formats[i]) || names(message, formats[i]))
			return HINT_RESPONSE_FORMAT;
	}
	return HINT_NONE;
}

/* `{error: {message, code, param}}`, `{error: "…"}` or `{message}`; else the text itself. */
void openai_read_error(json_tokener *tokener, const char *body, size_t size,
		       struct attempt *attempt)
{
	const char *message = NULL, *code = NULL, *param = NULL;
	size_t replaced = 0;
	json_object *json, *error;
	char *copy = NULL;

	if (clean_body(&body, &size, &copy, &replaced) < 0)
		size = 0;
	json = size > 0 ? parse(tokener, body, size) : NULL;
	error = member(json, "error");
	if (json_object_is_type(error, json_type_object)) {
		message = text_member(error, "message");
		code = text_member(error, "code");
		param = text_member(error, "param");
	} else {
		message = error ? json_object_get_string(error) : text_member(json, "message");
	}
	attempt->hint = hint_of(attempt->status, code, param, message);
	attempt_classify(attempt);
	if (message && *message)
		attempt_fail(attempt, attempt->class, "%s", message);
	else if (size > 0 && !json && body[0] != '<')
		attempt_fail(attempt, attempt->class, "%.*s",
			     (int)utf8_cut(body, size, EXCERPT_BYTES), body);
	else
		attempt_fail(attempt, attempt->class, "HTTP status %d", attempt->status);
	attempt_classify(attempt);
	json_object_put(json);
	free(copy);
}
