/* What a dialect says is in an answer, as it finds it. */
#include "daemon/backend/dialect/answer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/refusal.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

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

void answer_unusable(struct answer *answer, const char *words)
{
	if (!answer->unusable)
		attempt_fail(answer->attempt, ATTEMPT_RETRY, "%s", words);
	answer->unusable = true;
}

void answer_failed(struct answer *answer, struct json_value *json)
{
	if (answer->unusable)
		return;
	refusal_take(answer->call->target, answer->event_type, 0, json, answer->attempt);
	answer->unusable = true;
}
