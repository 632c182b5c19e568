/*
 * What an attempt came to, and what follows from it: classification of errors in one place, and
 * how long to wait. Pure functions of their arguments; the random numbers are the caller's.
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
	HINT_QUOTA, // nothing is left to be spent there: waiting does not help
};

struct attempt {
	enum attempt_class class;
	int code; // ELLU_E_*, unless answered
	int status; // of HTTP; 0: no answer
	enum error_hint hint;
	bool connected; // to the endpoint, at some time
	bool odd_usage; // the answer has counts of tokens that cannot be
	int64_t wait_usec; // what the endpoint asked for; -1: did not say
	char message[900]; // for people; the provider's own words where there are any
};

#define RETRY_BASE_USEC INT64_C(500000)
#define RETRY_MAX_USEC INT64_C(60000000)
#define WAIT_BASE_USEC INT64_C(1000000)
#define WAIT_MAX_USEC INT64_C(60000000) // where the endpoint does not say how long
#define RETRY_AFTER_MAX_USEC INT64_C(86400000000)

/* Sets class and code from status, hint and wait_usec. */
void attempt_classify(struct attempt *attempt);

/* An attempt that ended before an answer was complete. */
__attribute__((format(printf, 3, 4))) void attempt_fail(struct attempt *attempt,
							 enum attempt_class class,
							 const char *format, ...);

/* Before attempt `n` + 1 (n from 1): exponential with full jitter; `random` lies in [0, 1). */
int64_t retry_backoff_usec(int64_t n, double random);

/* The `n`th in a row from 1, exponential with jitter in its upper half. */
int64_t retry_grown_usec(int64_t base_usec, int64_t max_usec, int64_t n, double random);

/* A wait of unknown length, the `n`th in a row from 1. */
int64_t retry_wait_usec(int64_t n, double random);

/* No wait is shorter than a step with jitter, whatever the endpoint says. */
int64_t retry_floor_usec(int64_t wait_usec, double random);

/* The calls that went first after a pause, and how the endpoint took them. */
struct heads {
	int n;
	int n_refused;
};

/* A call that goes first and is refused may be unlucky, or one that is never let through. It is
 * the latter when `n` refusals of it, and the answers to others, would be chance once in a million
 * times. */
#define REFUSALS_MIN 5
bool heads_beyond_chance(const struct heads *heads, int n);
void heads_note(struct heads *heads, bool refused);

/* The headers' values or NULL; -1 when they say nothing usable. */
int64_t retry_after_usec(const char *retry_after, const char *retry_after_ms,
			 int64_t wall_usec);
