/*
 * What an attempt came to: classification of errors in one place. Pure functions of their arguments.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum attempt_class {
	ATTEMPT_ANSWERED,
	ATTEMPT_RETRY, // worth trying again, a limited number of times
	ATTEMPT_WAIT, // the endpoint asks for a pause; not counted
	ATTEMPT_ITEM, // final for this call
	ATTEMPT_CONFIG, // final for every call with this config
};

/* What an error body says, beside the status. */
enum error_hint {
	HINT_NONE,
	HINT_CONTENT, // this content, and no other, is refused
	HINT_RESPONSE_FORMAT, // the form of the answer asked for is not known there
	HINT_MAX_TOKENS, // wants the other name of max_tokens
	HINT_STREAM_OPTIONS, // are not known there
	HINT_KEY, // the key is refused, whatever the status says
	HINT_MODEL, // and so is the model
	HINT_QUOTA, // nothing is left to be spent there, or the account is not served: waiting is no help
};

struct attempt {
	enum attempt_class class;
	int code; // ELLU_E_*, unless answered
	int status; // of HTTP; 0: no answer
	enum error_hint hint;
	bool connected; // to the endpoint, at some time
	bool odd_usage; // the answer has counts of tokens that cannot be
	int64_t wait_usec; // what the endpoint asked for; -1: did not say
	int64_t limit; // in bytes, of what is too large
	char message[900]; // for people; the provider's own words where there are any
};

/* Sets class and code from status, hint and wait_usec. */
void attempt_classify(struct attempt *attempt);

/* An attempt whose answer is not taken, and would not be another time: what it has more of than
 * there may be. */
__attribute__((format(printf, 3, 4))) void attempt_too_large(struct attempt *attempt, int64_t limit,
							      const char *format, ...);

/* An attempt that ended before an answer was complete. */
__attribute__((format(printf, 3, 4))) void attempt_fail(struct attempt *attempt,
							 enum attempt_class class,
							 const char *format, ...);

#define ATTEMPT_WAIT_MAX_USEC INT64_C(86400000000)

/* How long a duration is that stands in a body, such as `1.5s`; -1: it is none. */
int64_t attempt_wait_usec(const char *duration);
