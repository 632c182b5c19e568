#include "daemon/backend/dialect/answer.h"

#include <errno.h>
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

#define FINISH_REASON_MAX 64 // bytes
#define TOOL_CALLS_MAX 1024 // that come in pieces
#define EXCERPT_BYTES 200 // of an error that is no JSON

/* The body with all that is no UTF-8 replaced: json-c would pass it on. *ret_copy is freed by
 * the caller; NULL: the body was clean. */
static int clean_body(char **body, size_t *size, char **ret_copy, size_t *ret_replaced)
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
static bool is_text(struct answer *answer, struct json_value *value, const char *what)
{
	char words[64];

	if (json_is(value, JSON_TEXT))
		return true;
	if (value) {
		snprintf(words, sizeof(words), "the answer's %s is not a text", what);
		answer_unusable(answer, words);
	}
	return false;
}

static void append_text(struct answer *answer, struct json_value *text)
{
	buffer_append(&answer->text, json_words(text), json_words_size(text));
	answer->has_text = true;
}

void answer_text(struct answer *answer, struct json_value *text)
{
	if (is_text(answer, text, "content"))
		append_text(answer, text);
}

void answer_refusal(struct answer *answer, struct json_value *text)
{
	if ((answer->text.size > 0 && !answer->refused) || !is_text(answer, text, "refusal"))
		return;
	append_text(answer, text);
	answer->refused = true;
}

/* An id may be missing; arguments are a text of JSON. */
static void put_tool_call(struct answer *answer, const char *id, const char *name,
			  const char *arguments)
{
	struct buffer *out = &answer->tool_calls;

	if (!name) {
		answer_unusable(answer, "the answer calls a tool without a name");
		return;
	}
	buffer_text(out, answer->n_tool_calls == 0 ? "[{\"id\":" : ",{\"id\":");
	if (id) {
		buffer_json(out, id);
	} else {
		/* Some servers leave the id out; results need one to refer to. */
		buffer_text(out, "\"call_");
		buffer_int(out, (int64_t)answer->n_tool_calls);
		buffer_text(out, "\"");
	}
	buffer_text(out, ",\"name\":");
	buffer_json(out, name);
	buffer_text(out, ",\"arguments\":");
	buffer_json(out, arguments);
	buffer_text(out, "}");
	answer->n_tool_calls++;
}

/* Of a text, else NULL. */
static const char *words_of(struct json_value *value)
{
	return json_is(value, JSON_TEXT) ? json_words(value) : NULL;
}

void answer_tool_call(struct answer *answer, struct json_value *id, struct json_value *name,
		      struct json_value *arguments)
{
	const char *text = arguments ? words_of(arguments) : "{}";
	char *compact = text ? NULL : json_compact(arguments);

	if (!text)
		text = compact;
	if (text)
		put_tool_call(answer, words_of(id), words_of(name), text);
	else
		answer->tool_calls.failed = true;
	free(compact);
}

struct tool_piece {
	int64_t number;
	char *id; // or NULL
	char *name;
	struct buffer arguments;
};

/* The tool call with that number, made when it is new. */
static struct tool_piece *piece_of(struct answer *answer, struct json_value *index)
{
	int64_t number = json_is(index, JSON_NUMBER) ? strtoll(index->piece.at, NULL, 10) : -1;
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

/* The first text that says it. */
static void keep_words(struct answer *answer, char **kept, struct json_value *value)
{
	if (*kept || !json_is(value, JSON_TEXT))
		return;
	*kept = strdup(json_words(value));
	answer->tool_calls.failed |= !*kept;
}

void answer_tool_piece(struct answer *answer, struct json_value *index, struct json_value *id,
		       struct json_value *name, struct json_value *arguments)
{
	struct tool_piece *piece = piece_of(answer, index);

	if (!piece)
		return;
	keep_words(answer, &piece->id, id);
	keep_words(answer, &piece->name, name);
	if (json_is(arguments, JSON_TEXT))
		buffer_append(&piece->arguments, json_words(arguments), json_words_size(arguments));
}

static void join_pieces(struct answer *answer)
{
	for (size_t i = 0; i < answer->n_pieces; i++) {
		struct tool_piece *piece = &answer->pieces[i];
		struct buffer *arguments = &piece->arguments;

		if (arguments->size == 0)
			buffer_text(arguments, "{}");
		buffer_append(arguments, "", 1);
		if (arguments->failed)
			answer->tool_calls.failed = true;
		else
			put_tool_call(answer, piece->id, piece->name, arguments->data);
	}
}

static void forget_pieces(struct answer *answer)
{
	for (size_t i = 0; i < answer->n_pieces; i++) {
		free(answer->pieces[i].id);
		free(answer->pieces[i].name);
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
static int64_t count_of(struct answer *answer, struct json_value *value)
{
	double count = json_is(value, JSON_NUMBER) ? json_number(value) : -1;

	if (count >= 0 && count <= (double)ANSWER_TOKENS_MAX && trunc(count) == count)
		return (int64_t)count;
	if (value)
		answer->attempt->odd_usage = true;
	return -1;
}

void answer_usage(struct answer *answer, struct json_value *input, struct json_value *output,
		  struct json_value *reasoning)
{
	struct json_value *values[] = { input, output, reasoning };

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

/* The object that the text is, or NULL and the answer is none. */
static struct json_value *read_object(struct answer *answer, char *text, size_t size,
				      const char *otherwise)
{
	struct json_value *json = NULL;
	int r = json_read(answer->reader, text, size, &json);

	if (r == -E2BIG) {
		attempt_too_large(answer->attempt, RESPONSE_BODY_MAX,
				  "an answer: more than %u JSON values", JSON_READ_VALUES_MAX);
		answer->unusable = true;
	} else if (r == -ENOMEM) {
		answer_unusable(answer, "out of memory");
	} else if (!json_is(json, JSON_OBJECT)) {
		answer_unusable(answer, otherwise);
	}
	return answer->unusable ? NULL : json;
}

static void read_event(struct answer *answer, const struct buffer *data)
{
	static const char last[] = "[DONE]"; // with some
	struct json_value *json;

	if (data->failed) {
		answer_unusable(answer, "out of memory");
		return;
	}
	if (data->size == sizeof(last) - 1 && memcmp(data->data, last, data->size) == 0)
		return;
	json = read_object(answer, data->data, data->size,
			   "an event of the answer is not a JSON object");
	if (json)
		answer->call->target->dialect->event(json, answer);
}

/* One that nobody asked for comes all the same from some servers. */
static void read_events(struct answer *answer, const char *body, size_t size)
{
	struct sse sse = { 0 };
	const struct buffer *data;

	while (size > 0 && !answer->unusable) {
		size_t taken = sse_take(&sse, body, size, &data);

		body += taken;
		size -= taken;
		if (data)
			read_event(answer, data);
	}
	sse_done(&sse);
	join_pieces(answer);
	if (!answer->finish_reason)
		answer_unusable(answer, "the answer's events end early");
}

static void read_whole(struct answer *answer, char *body, size_t size)
{
	struct json_value *json = read_object(answer, body, size, "the answer is not a JSON object");

	if (json)
		answer->call->target->dialect->whole(json, answer);
}

void answer_read(struct llm_call *call, struct json_reader *reader, enum framing framing, char *body,
		 size_t size, struct attempt *attempt)
{
	struct answer answer = { .call = call, .attempt = attempt, .reader = reader,
				 .tokens = { -1, -1, -1 } };
	size_t replaced = 0;
	char *copy = NULL;

	if (clean_body(&body, &size, &copy, &replaced) < 0) {
		attempt_fail(attempt, ATTEMPT_RETRY, "out of memory");
		return;
	}
	call->replaced = (int64_t)replaced;
	reader->n_rewritten = 0;
	if (framing == FRAMING_SSE)
		read_events(&answer, body, size);
	else
		read_whole(&answer, body, size);
	take_usage(&answer);
	finish(&answer);
	if (attempt->class != ATTEMPT_ANSWERED)
		forget(call);
	buffer_done(&answer.text);
	buffer_done(&answer.tool_calls);
	forget_pieces(&answer);
	free(answer.finish_reason);
	free(copy);
}

void refusal_read(const struct llm_target *target, struct json_reader *reader, char *body,
		  size_t size, struct attempt *attempt)
{
	struct refusal refusal = { .status = attempt->status };
	size_t replaced = 0;
	struct json_value *json = NULL;
	char *copy = NULL;

	if (clean_body(&body, &size, &copy, &replaced) < 0)
		size = 0;
	reader->n_rewritten = 0;
	(void)json_read(reader, body, size, &json);
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
	free(copy);
}
