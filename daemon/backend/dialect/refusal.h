/*
 * What an error says: its class, by codes and types that the target's dialect finds in it, and the
 * provider's own words, without keys.
 */
#pragma once

#include <stddef.h>

#include "daemon/backend/dialect/attempt.h"

struct json_reader;
struct json_value;
struct llm_target;

/* What a dialect finds in an error; strings or NULL. */
struct refusal {
	const struct llm_target *target;
	int status; // 0: it came in the place of an answer; the dialect may say one, else code or type do
	const char *message; // for people
	const char *code;
	const char *type; // may be known before: of a header, or of an event
	const char *param;
	const char *wait; // seconds to wait, in words that begin with a number
	enum error_hint hint;
};

/* An error that came in the place of an answer, and its status, or 0: its words say so. Its class, and the
 * provider's own words. */
void refusal_take(const struct llm_target *target, const char *type, int status, struct json_value *json,
		  struct attempt *attempt);
/* The body of an error, whose status the attempt has, and its type, or NULL: its class, and the
 * provider's own words. The body is spoiled, too. */
void refusal_read(const struct llm_target *target, struct json_reader *reader, const char *type,
		  char *body, size_t size, struct attempt *attempt);
