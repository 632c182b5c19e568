#include "daemon/backend/dialect/answer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/dialect.h"
#include "daemon/backend/dialect/target.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"
#include "proto/usage.h"

#define FINISH_REASON_MAX 64 // bytes
#define EXCERPT_BYTES 200 // of an error that is no JSON

int answer_clean(char **body, size_t *size, char **ret_copy, size_t *ret_replaced)
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

bool answer_has_room(struct answer *answer, size_t size)
{
	if (answer->text.size + answer->piece_bytes + size <= RESPONSE_TEXT_MAX)
		return !answer->unusable;
	attempt_too_large(answer->attempt, RESPONSE_TEXT_MAX,
			  "the text of an answer: more than %u bytes", RESPONSE_TEXT_MAX);
	answer->unusable = true;
	return false;
}

/* A decoded string may hold NUL, which JSON writes \u0000. */
static void append_words(struct answer *answer, const char *words, size_t size)
{
	size_t replaced = 0;
	char *clean = NULL;

	if (!answer_has_room(answer, size))
		return;
	if (size > 0 && memchr(words, 0, size)) {
		if (utf8_clean(words, size, &clean, &size, &replaced) < 0)
			answer->text.failed = true;
		answer->call->replaced += (int64_t)replaced;
		words = clean;
	}
	if (words)
		buffer_append(&answer->text, words, size);
	answer->has_text = true;
	free(clean);
}

static void append_text(struct answer *answer, struct json_value *text)
{
	append_words(answer, json_words(text), json_words_size(text));
}

void answer_text(struct answer *answer, struct json_value *text)
{
	if (is_text(answer, text, "content"))
		append_text(answer, text);
}

void answer_written(struct answer *answer, struct json_value *value)
{
	char *compact = value ? json_compact(value) : NULL;

	if (compact)
		append_words(answer, compact, strlen(compact));
	answer->text.failed |= value && !compact;
	free(compact);
}

void answer_refusal(struct answer *answer, struct json_value *text)
{
	if ((answer->text.size > 0 && !answer->refused) || !is_text(answer, text, "refusal"))
		return;
	append_text(answer, text);
	answer->refused = true;
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

const char *answer_word_of(const struct answer_word *words, const char *theirs)
{
	for (; theirs && words->theirs; words++)
		if (strcmp(words->theirs, theirs) == 0)
			return words->ours;
	return theirs;
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

static void count_tokens(struct answer *answer, struct json_value *value, int64_t *count)
{
	if (value)
		*count = count_of(answer, value);
}

void answer_usage(struct answer *answer, struct json_value *input, struct json_value *output,
		  struct json_value *reasoning)
{
	count_tokens(answer, input, &answer->tokens.input);
	count_tokens(answer, output, &answer->tokens.output);
	count_tokens(answer, reasoning, &answer->tokens.reasoning);
}

void answer_usage_beside(struct answer *answer, struct json_value *input, struct json_value *output,
			 struct json_value *reasoning)
{
	answer_usage(answer, input, output, reasoning);
	answer->reasoning_beside = true;
}

void answer_cached(struct answer *answer, struct json_value *read, struct json_value *written,
		   bool beside)
{
	count_tokens(answer, read, &answer->tokens.cached);
	count_tokens(answer, written, &answer->tokens.cache_write);
	answer->cached_beside = beside;
}

/* What an attempt took that is made again was spent all the same. */
static void take_usage(struct answer *answer)
{
	struct llm_call *call = answer->call;
	struct token_counts *tokens = &answer->tokens;

	if (answer->cached_beside && tokens->input >= 0) {
		usage_add(&tokens->input, tokens->cached);
		usage_add(&tokens->input, tokens->cache_write);
	}
	if (answer->reasoning_beside)
		usage_add(&tokens->output, tokens->reasoning);
	usage_add(&call->input_tokens, tokens->input);
	usage_add(&call->output_tokens, tokens->output);
	usage_add(&call->reasoning_tokens, tokens->reasoning);
	usage_add(&call->cached_tokens, tokens->cached);
	usage_add(&call->cost_nanodollars, target_cost(call->target, call->batched, tokens));
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
		call->text = arena_strndup(&call->arena, text->data ? text->data : "", text->size);
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
	call->vectors = NULL;
	call->replaced = 0;
}

/* The object that the text is, or NULL and the answer is none. */
static struct json_value *read_object(struct answer *answer, char *text, size_t size,
				      const char *otherwise)
{
	struct json_reader *reader = answer->reader;
	struct json_value *json = NULL;
	int r;

	reader->n_rewritten = answer->n_rewritten;
	r = json_read(reader, text, size, &json);
	answer->n_rewritten = reader->n_rewritten;
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

/* A whole body, or the data of one event. */
static void read_piece(struct answer *answer, char *text, size_t size, const char *otherwise,
		       void (*read)(struct json_value *json, struct answer *answer))
{
	struct json_value *json;
	size_t replaced = 0;
	char *copy = NULL;

	if (answer_clean(&text, &size, &copy, &replaced) < 0) {
		answer_unusable(answer, "out of memory");
		return;
	}
	answer->call->replaced += (int64_t)replaced;
	json = read_object(answer, text, size, otherwise);
	if (json)
		read(json, answer);
	free(copy);
}

static void read_error(struct json_value *json, struct answer *answer)
{
	answer_failed(answer, json);
}

static void read_event(struct answer *answer, const struct framed_event *event)
{
	static const char last[] = "[DONE]"; // with some

	if (event->size == sizeof(last) - 1 && memcmp(event->data, last, event->size) == 0)
		return;
	answer->event_type = event->type;
	read_piece(answer, event->data, event->size, "an event of the answer is not a JSON object",
		   event->is_error ? read_error : answer->call->target->dialect->event);
	answer->event_type = NULL;
}

void answer_begin(struct answer *answer, struct llm_call *call, struct json_reader *reader,
		  const struct framing *framing, struct attempt *attempt)
{
	*answer = (struct answer){ .call = call, .attempt = attempt, .reader = reader,
				   .framing = framing, .tokens = { -1, -1, -1, -1, -1 } };
	call->replaced = 0;
}

static void check_event_size(struct answer *answer, size_t size)
{
	if (answer->framing->held(&answer->state) > RESPONSE_BODY_MAX)
		attempt_too_large(answer->attempt, RESPONSE_BODY_MAX,
				  "an event of an answer: more than %u bytes", RESPONSE_BODY_MAX);
	else if ((answer->size += size) > RESPONSE_STREAM_MAX)
		attempt_too_large(answer->attempt, RESPONSE_STREAM_MAX,
				  "an answer: more than %u bytes", RESPONSE_STREAM_MAX);
	else
		return;
	answer->unusable = true;
}

bool answer_take(struct answer *answer, const char *bytes, size_t size)
{
	struct framed_event event;

	while (size > 0 && !answer->unusable) {
		ssize_t taken = answer->framing->take(&answer->state, bytes, size, &event);

		if (taken < 0) {
			answer_unusable(answer, taken == -ENOMEM ? "out of memory" :
								   "the answer's stream is broken");
			return false;
		}
		bytes += taken;
		size -= (size_t)taken;
		check_event_size(answer, (size_t)taken);
		if (event.data && !answer->unusable)
			read_event(answer, &event);
	}
	return !answer->unusable;
}

size_t answer_held(const struct answer *answer)
{
	return answer->text.size + answer->piece_bytes +
	       (answer->framing ? answer->framing->held(&answer->state) : 0);
}

bool answer_is_whole(const struct answer *answer)
{
	return answer->finish_reason != NULL && !answer->unusable;
}

void answer_done(struct answer *answer)
{
	if (answer->framing)
		answer->framing->done(&answer->state);
	buffer_done(&answer->text);
	buffer_done(&answer->tool_calls);
	tool_calls_done(answer);
	free(answer->finish_reason);
}

void answer_end(struct answer *answer, char *body, size_t size)
{
	const struct dialect *dialect = answer->call->target->dialect;
	bool embedding = answer->call->embedding;

	if (!answer->framing) {
		read_piece(answer, body, size, "the answer is not a JSON object",
			   embedding ? dialect->embedding->whole : dialect->whole);
	} else {
		tool_calls_join(answer);
		if (!answer->finish_reason)
			answer_unusable(answer, "the answer's events end early");
	}
	if (embedding)
		answer->tokens.output = 0;
	take_usage(answer);
	if (embedding)
		vectors_end(answer);
	else
		finish(answer);
	if (answer->attempt->class != ATTEMPT_ANSWERED)
		forget(answer->call);
}

void answer_end_read(struct answer *answer, struct json_value *json)
{
	answer->call->target->dialect->whole(json, answer);
	take_usage(answer);
	finish(answer);
	if (answer->attempt->class != ATTEMPT_ANSWERED)
		forget(answer->call);
}

void answer_drop(struct answer *answer)
{
	take_usage(answer);
	forget(answer->call);
}

/* Errors that come in the place of an answer have no status of their own. */
static int status_of_word(const char *word)
{
	static const struct {
		const char *word;
		int status;
	} statuses[] = {
		{ "invalid_request_error", 400 }, { "authentication_error", 401 },
		{ "invalid_api_key", 401 }, { "permission_error", 403 }, { "not_found_error", 404 },
		{ "request_too_large", 413 }, { "rate_limit_error", 429 },
		{ "rate_limit_exceeded", 429 }, { "api_error", 500 }, { "server_error", 500 },
		{ "internal_server_error", 500 }, { "service_unavailable", 503 },
		{ "timeout_error", 504 }, { "overloaded_error", 529 },
	};
	long number = word ? strtol(word, NULL, 10) : 0;

	if (number >= 300 && number < 600)
		return (int)number;
	for (size_t i = 0; word && i < sizeof(statuses) / sizeof(*statuses); i++) {
		if (strcmp(word, statuses[i].word) == 0)
			return statuses[i].status;
	}
	return 0;
}

/* The class of what the dialect found, and the words for it; `text` is what it found it in. */
static void take_refusal(const struct llm_target *target, const struct refusal *refusal,
			 const char *text, size_t size, struct attempt *attempt)
{
	attempt->hint = refusal->hint;
	if (refusal->wait && attempt->wait_usec < 0)
		attempt->wait_usec = attempt_wait_usec(refusal->wait);
	attempt_classify(attempt);
	if (refusal->message && *refusal->message)
		fail_saying(target, attempt, attempt->class, refusal->message,
			    strlen(refusal->message), SIZE_MAX);
	else if (size > 0)
		fail_saying(target, attempt, attempt->class, text, size, EXCERPT_BYTES);
	else if (attempt->status >= 300)
		attempt_fail(attempt, attempt->class, "HTTP status %d", attempt->status);
	else
		fail_saying(target, attempt, attempt->class, "", 0, EXCERPT_BYTES);
	attempt_classify(attempt);
}

void refusal_take(const struct llm_target *target, const char *type, int status, struct json_value *json,
		  struct attempt *attempt)
{
	struct refusal refusal = { .target = target, .type = type, .status = status };

	target->dialect->refusal(json, &refusal);
	if (!refusal.status)
		refusal.status = status_of_word(refusal.code);
	if (!refusal.status)
		refusal.status = status_of_word(refusal.type);
	if (refusal.status) {
		attempt->status = refusal.status;
		target->dialect->refusal(json, &refusal); // what it is about depends on it
	}
	take_refusal(target, &refusal, NULL, 0, attempt);
}

void answer_failed(struct answer *answer, struct json_value *json)
{
	if (answer->unusable)
		return;
	refusal_take(answer->call->target, answer->event_type, 0, json, answer->attempt);
	answer->unusable = true;
}

void refusal_read(const struct llm_target *target, struct json_reader *reader, const char *type,
		  char *body, size_t size, struct attempt *attempt)
{
	struct refusal refusal = { .target = target, .status = attempt->status, .type = type };
	size_t replaced = 0;
	struct json_value *json = NULL;
	char *copy = NULL;

	if (answer_clean(&body, &size, &copy, &replaced) < 0)
		size = 0;
	reader->n_rewritten = 0;
	(void)json_read(reader, body, size, &json);
	target->dialect->refusal(json, &refusal);
	take_refusal(target, &refusal, body, json || (size > 0 && body[0] == '<') ? 0 : size,
		     attempt);
	free(copy);
}
