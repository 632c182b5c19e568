#include "daemon/backend/dialect/answer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/dialect.h"
#include "daemon/backend/dialect/sse.h"
#include "daemon/backend/dialect/target.h"
#include "proto/limits.h"
#include "proto/usage.h"
#include "proto/utf8.h"

#define CHECKED_BODY_BYTES (512u * 1024)
#define ANSWER_VALUES_MAX (CHECKED_BODY_BYTES / 2) // smaller bodies cannot hold as many
#define FINISH_REASON_MAX 64 // bytes
#define TOOL_CALLS_MAX 1024 // that come in pieces
#define EXCERPT_BYTES 200 // of an error that is no JSON

json_object *json_member(json_object *object, const char *name)
{
	json_object *value = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, name, &value);
	return value;
}

const char *json_text_member(json_object *object, const char *name)
{
	json_object *value = json_member(object, name);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

/* json-c spends much more memory on a value than its text takes, and time. */
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
	return n > ANSWER_VALUES_MAX;
}

/* The one JSON value that the text is, or NULL. */
static json_object *parse(json_tokener *tokener, const char *body, size_t size)
{
	json_object *json;

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

	if (*size == 0 || (!memchr(*body, 0, *size) && utf8_valid(*body, *size, NULL)))
		return 0;
	r = utf8_clean(*body, *size, ret_copy, &clean_size, ret_replaced);
	if (r < 0)
		return r;
	*body = *ret_copy;
	*size = clean_size;
	return 0;
}

/* True for a string; what else is there, but nothing, makes the answer unusable. */
static bool is_text(struct answer *answer, json_object *value, const char *what)
{
	char words[64];

	if (json_object_is_type(value, json_type_string))
		return true;
	if (value) {
		snprintf(words, sizeof(words), "the answer's %s is not a text", what);
		answer_unusable(answer, words);
	}
	return false;
}

static void append_text(struct answer *answer, json_object *text)
{
	buffer_append(&answer->text, json_object_get_string(text),
		      (size_t)json_object_get_string_len(text));
	answer->has_text = true;
}

void answer_text(struct answer *answer, json_object *text)
{
	if (is_text(answer, text, "content"))
		append_text(answer, text);
}

void answer_refusal(struct answer *answer, json_object *text)
{
	if ((answer->text.size > 0 && !answer->refused) || !is_text(answer, text, "refusal"))
		return;
	append_text(answer, text);
	answer->refused = true;
}

void answer_tool_call(struct answer *answer, json_object *id, json_object *name,
		      json_object *arguments)
{
	struct buffer *out = &answer->tool_calls;
	char made_up[32] = "call_";
	struct buffer number = { made_up, 5, sizeof(made_up), false };

	if (!json_object_is_type(name, json_type_string)) {
		answer_unusable(answer, "the answer calls a tool without a name");
		return;
	}
	buffer_text(out, answer->n_tool_calls == 0 ? "[{\"id\":" : ",{\"id\":");
	if (json_object_is_type(id, json_type_string)) {
		buffer_json(out, json_object_get_string(id));
	} else {
		/* Some servers leave the id out; results need one to refer to. */
		buffer_int(&number, (int64_t)answer->n_tool_calls);
		made_up[number.size] = '\0';
		buffer_json(out, made_up);
	}
	buffer_text(out, ",\"name\":");
	buffer_json(out, json_object_get_string(name));
	buffer_text(out, ",\"arguments\":");
	if (json_object_is_type(arguments, json_type_string))
		buffer_json(out, json_object_get_string(arguments));
	else
		buffer_json(out, arguments ? json_object_to_json_string_ext(arguments,
								JSON_C_TO_STRING_PLAIN |
								JSON_C_TO_STRING_NOSLASHESCAPE) :
					     "{}");
	buffer_text(out, "}");
	answer->n_tool_calls++;
}

struct tool_piece {
	int64_t number;
	json_object *id; // or NULL
	json_object *name;
	struct buffer arguments;
};

/* The tool call with that number, made when it is new. */
static struct tool_piece *piece_of(struct answer *answer, json_object *index)
{
	int64_t number = json_object_is_type(index, json_type_int) ? json_object_get_int64(index) : -1;
	struct tool_piece *pieces;

	for (size_t i = answer->n_pieces; i-- > 0;) {
		if (answer->pieces[i].number == number)
			return &answer->pieces[i];
	}
	pieces = answer->n_pieces < TOOL_CALLS_MAX ?
			 reallocarray(answer->pieces, answer->n_pieces + 1, sizeof(*pieces)) :
			 NULL;
	if (!pieces) {
		answer_unusable(answer, "too many tool calls");
		return NULL;
	}
	answer->pieces = pieces;
	pieces[answer->n_pieces] = (struct tool_piece){ .number = number };
	return &pieces[answer->n_pieces++];
}

void answer_tool_piece(struct answer *answer, json_object *index, json_object *id,
		       json_object *name, json_object *arguments)
{
	struct tool_piece *piece = piece_of(answer, index);

	if (!piece)
		return;
	if (id && !piece->id)
		piece->id = json_object_get(id);
	if (name && !piece->name)
		piece->name = json_object_get(name);
	if (json_object_is_type(arguments, json_type_string))
		buffer_append(&piece->arguments, json_object_get_string(arguments),
			      (size_t)json_object_get_string_len(arguments));
}

static void join_pieces(struct answer *answer)
{
	for (size_t i = 0; i < answer->n_pieces; i++) {
		struct tool_piece *piece = &answer->pieces[i];
		const char *text = piece->arguments.size > 0 ? piece->arguments.data : "{}";
		size_t size = piece->arguments.size > 0 ? piece->arguments.size : 2;
		json_object *arguments = json_object_new_string_len(text, (int)size);

		answer_tool_call(answer, piece->id, piece->name, arguments);
		answer->tool_calls.failed |= piece->arguments.failed || !arguments;
		json_object_put(arguments);
	}
}

static void forget_pieces(struct answer *answer)
{
	for (size_t i = 0; i < answer->n_pieces; i++) {
		json_object_put(answer->pieces[i].id);
		json_object_put(answer->pieces[i].name);
		buffer_done(&answer->pieces[i].arguments);
	}
	free(answer->pieces);
}

void answer_finish_reason(struct answer *answer, const char *reason)
{
	if (!reason)
		return;
	free(answer->finish_reason);
	answer->finish_reason = strdup(reason);
	if (!answer->finish_reason)
		answer_unusable(answer, "out of memory");
}

/* -1: unknown, be it that what is said cannot be. */
static int64_t count_of(struct answer *answer, json_object *value)
{
	double count = json_object_is_type(value, json_type_int) ||
				       json_object_is_type(value, json_type_double) ?
			       json_object_get_double(value) : -1;

	if (count >= 0 && count <= (double)ANSWER_TOKENS_MAX && trunc(count) == count)
		return (int64_t)count;
	if (value)
		answer->attempt->odd_usage = true;
	return -1;
}

void answer_usage(struct answer *answer, json_object *input, json_object *output,
		  json_object *reasoning)
{
	json_object *values[] = { input, output, reasoning };

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		if (values[i])
			answer->tokens[i] = count_of(answer, values[i]);
}

/* What an attempt took that is made again was spent all the same. */
static void take_usage(struct answer *answer)
{
	struct llm_call *call = answer->call;
	const int64_t *tokens = answer->tokens;

	usage_add(&call->input_tokens, tokens[0]);
	usage_add(&call->output_tokens, tokens[1]);
	usage_add(&call->reasoning_tokens, tokens[2]);
	usage_add(&call->cost_nanodollars, target_cost(call->target, tokens[0], tokens[1]));
}

/* What a provider said, or the beginning of it, as the attempt's end. */
static void fail_saying(const struct llm_target *target, struct attempt *attempt,
			enum attempt_class class, const char *words, size_t size, size_t max)
{
	char *copy = size > 0 ? strndup(words, size) : strdup("an error without a message");

	if (copy) {
		target_redact(target, copy, strlen(copy));
		copy[utf8_cut(copy, strlen(copy), max)] = '\0';
	}
	attempt_fail(attempt, class, "%s", copy ? copy : "out of memory");
	free(copy);
}

void answer_unusable(struct answer *answer, const char *words)
{
	if (!answer->unusable)
		fail_saying(answer->call->target, answer->attempt, ATTEMPT_RETRY, words,
			    strlen(words), SIZE_MAX);
	answer->unusable = true;
}

/* A decoded string may hold NUL, which JSON writes \u0000. */
static const char *take_text(struct llm_call *call, const struct buffer *text)
{
	size_t clean_size, replaced = 0;
	const char *copy;
	char *clean;

	if (text->size == 0 || !memchr(text->data, 0, text->size))
		return arena_strndup(&call->arena, text->data ? text->data : "", text->size);
	if (utf8_clean(text->data, text->size, &clean, &clean_size, &replaced) < 0)
		return NULL;
	call->replaced += (int64_t)replaced;
	copy = arena_strndup(&call->arena, clean, clean_size);
	free(clean);
	return copy;
}

/* Bounded, and without a key: a provider may put anything there. */
static const char *take_finish_reason(struct answer *answer)
{
	struct llm_call *call = answer->call;
	char *reason = answer->finish_reason;

	if (answer->refused && (!reason || strcmp(reason, "stop") == 0))
		return "refusal";
	if (!reason)
		return NULL;
	target_redact(call->target, reason, strlen(reason));
	return arena_strndup(&call->arena, reason,
			     utf8_cut(reason, strlen(reason), FINISH_REASON_MAX));
}

/* What was collected becomes the call's. */
static bool take(struct answer *answer)
{
	struct buffer *text = &answer->text, *tool_calls = &answer->tool_calls;
	struct llm_call *call = answer->call;

	if (text->failed || tool_calls->failed)
		return false;
	call->finish_reason = take_finish_reason(answer);
	if (answer->finish_reason && !call->finish_reason)
		return false;
	if (answer->n_tool_calls > 0) {
		target_redact_answer(call->target, tool_calls->data, tool_calls->size);
		call->tool_calls = arena_strndup(&call->arena, tool_calls->data, tool_calls->size);
		if (!call->tool_calls)
			return false;
	}
	if (answer->has_text || answer->n_tool_calls == 0) {
		target_redact_answer(call->target, text->data, text->size);
		call->text = take_text(call, text);
		if (!call->text)
			return false;
	}
	return true;
}

static void finish(struct answer *answer)
{
	struct attempt *attempt = answer->attempt;

	/* A model may have nothing to say, but then it says why it ends. */
	if (!answer->has_text && answer->n_tool_calls == 0 && !answer->finish_reason)
		answer_unusable(answer, "the answer has no content");
	if (answer->unusable)
		return;
	if (answer->n_tool_calls > 0)
		buffer_text(&answer->tool_calls, "]");
	if (answer->text.size + answer->tool_calls.size > RESPONSE_TEXT_MAX) {
		attempt_too_large(attempt, RESPONSE_TEXT_MAX,
				  "the text of an answer: more than %u bytes", RESPONSE_TEXT_MAX);
	} else if (!take(answer)) {
		attempt_fail(attempt, ATTEMPT_RETRY, "out of memory");
	} else {
		attempt->class = ATTEMPT_ANSWERED;
	}
}

/* All but what it took. */
static void forget(struct llm_call *call)
{
	arena_done(&call->arena);
	call->text = call->tool_calls = call->finish_reason = NULL;
	call->replaced = 0;
}

static void read_event(struct answer *answer, json_tokener *tokener, const struct buffer *data)
{
	static const char last[] = "[DONE]"; // with some
	const struct dialect *dialect = answer->call->target->dialect;
	json_object *json;

	if (data->failed) {
		answer_unusable(answer, "out of memory");
		return;
	}
	if (data->size == sizeof(last) - 1 && memcmp(data->data, last, data->size) == 0)
		return;
	json = parse(tokener, data->data, data->size);
	if (json_object_is_type(json, json_type_object))
		dialect->event(json, answer);
	else
		answer_unusable(answer, "an event of the answer is not a JSON object");
	json_object_put(json);
}

/* One that nobody asked for comes all the same from some servers. */
static void read_events(struct answer *answer, json_tokener *tokener, const char *body, size_t size)
{
	struct sse sse = { 0 };
	const struct buffer *data;

	while (size > 0 && !answer->unusable) {
		size_t taken = sse_take(&sse, body, size, &data);

		body += taken;
		size -= taken;
		if (data)
			read_event(answer, tokener, data);
	}
	sse_done(&sse);
	join_pieces(answer);
	if (!answer->finish_reason)
		answer_unusable(answer, "the answer's events end early");
}

static void read_whole(struct answer *answer, json_tokener *tokener, const char *body, size_t size)
{
	json_object *json = parse(tokener, body, size);

	if (json_object_is_type(json, json_type_object))
		answer->call->target->dialect->whole(json, answer);
	else
		answer_unusable(answer, "the answer is not a JSON object");
	json_object_put(json);
}

void answer_read(struct llm_call *call, json_tokener *tokener, enum framing framing,
		 const char *body, size_t size, struct attempt *attempt)
{
	struct answer answer = { .call = call, .attempt = attempt, .tokens = { -1, -1, -1 } };
	size_t replaced = 0;
	char *copy = NULL;

	if (clean_body(&body, &size, &copy, &replaced) < 0) {
		attempt_fail(attempt, ATTEMPT_RETRY, "out of memory");
		return;
	}
	call->replaced = (int64_t)replaced;
	if (has_too_many_values(body, size)) {
		attempt_too_large(attempt, RESPONSE_BODY_MAX, "an answer: more than %u JSON values",
				  ANSWER_VALUES_MAX);
	} else {
		if (framing == FRAMING_SSE)
			read_events(&answer, tokener, body, size);
		else
			read_whole(&answer, tokener, body, size);
		take_usage(&answer);
		finish(&answer);
	}
	if (attempt->class != ATTEMPT_ANSWERED)
		forget(call);
	buffer_done(&answer.text);
	buffer_done(&answer.tool_calls);
	forget_pieces(&answer);
	free(answer.finish_reason);
	free(copy);
}

void refusal_read(const struct llm_target *target, json_tokener *tokener, const char *body,
		  size_t size, struct attempt *attempt)
{
	struct refusal refusal = { .status = attempt->status };
	size_t replaced = 0;
	char *copy = NULL;
	json_object *json;

	if (clean_body(&body, &size, &copy, &replaced) < 0)
		size = 0;
	/* It is short, and so are its values few. */
	json = size > 0 ? parse(tokener, body, size) : NULL;
	target->dialect->refusal(json, &refusal);
	attempt->hint = refusal.hint;
	attempt_classify(attempt);
	if (refusal.message && *refusal.message)
		fail_saying(target, attempt, attempt->class, refusal.message,
			    strlen(refusal.message), SIZE_MAX);
	else if (size > 0 && !json && body[0] != '<')
		fail_saying(target, attempt, attempt->class, body, size, EXCERPT_BYTES);
	else
		attempt_fail(attempt, attempt->class, "HTTP status %d", attempt->status);
	attempt_classify(attempt);
	json_object_put(json);
	free(copy);
}
