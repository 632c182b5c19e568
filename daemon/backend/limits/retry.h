/*
 * How long to wait before something is tried again. Pure functions of their arguments; the random
 * numbers are the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define RETRY_BASE_USEC INT64_C(500000)
#define RETRY_MAX_USEC INT64_C(60000000)
#define WAIT_BASE_USEC INT64_C(1000000)
#define WAIT_MAX_USEC INT64_C(60000000) // where the endpoint does not say how long
#define RETRY_AFTER_MAX_USEC INT64_C(86400000000)

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
