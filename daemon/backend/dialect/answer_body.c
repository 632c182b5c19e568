/* From a provider's bytes, whole or piece by piece, to the results of a call: its dialect reads what
 * they are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/answer.h"
#include "daemon/backend/dialect/dialect.h"
#include "daemon/backend/dialect/target.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"
#include "proto/usage.h"

#define FINISH_REASON_MAX 64 // bytes

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

	if (json_clean(&text, &size, &copy, &replaced) < 0) {
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
