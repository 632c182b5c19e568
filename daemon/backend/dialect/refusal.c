#include "daemon/backend/dialect/refusal.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/dialect.h"
#include "daemon/backend/dialect/target.h"
#include "daemon/backend/wire/json.h"
#include "proto/text/utf8.h"

#define EXCERPT_BYTES 200 // of an error that is no JSON

/* What a provider said, or the beginning of it, as the attempt's end. */
static void fail_saying(const struct llm_target *target, struct attempt *attempt, const char *words,
			size_t size, size_t max)
{
	char *copy = size > 0 ? strndup(words, size) : strdup("an error without a message");

	if (copy) {
		target_redact(target, copy, strlen(copy));
		copy[utf8_cut(copy, strlen(copy), max)] = '\0';
	}
	attempt_fail(attempt, attempt->class, "%s", copy ? copy : "out of memory");
	free(copy);
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
		fail_saying(target, attempt, refusal->message, strlen(refusal->message), SIZE_MAX);
	else if (size > 0)
		fail_saying(target, attempt, text, size, EXCERPT_BYTES);
	else if (attempt->status >= 300)
		attempt_fail(attempt, attempt->class, "HTTP status %d", attempt->status);
	else
		fail_saying(target, attempt, "", 0, EXCERPT_BYTES);
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

void refusal_read(const struct llm_target *target, struct json_reader *reader, const char *type,
		  char *body, size_t size, struct attempt *attempt)
{
	struct refusal refusal = { .target = target, .status = attempt->status, .type = type };
	size_t replaced = 0;
	struct json_value *json = NULL;
	char *copy = NULL;

	if (json_clean(&body, &size, &copy, &replaced) < 0)
		size = 0;
	reader->n_rewritten = 0;
	(void)json_read(reader, body, size, &json);
	target->dialect->refusal(json, &refusal);
	take_refusal(target, &refusal, body, json || (size > 0 && body[0] == '<') ? 0 : size,
		     attempt);
	free(copy);
}
