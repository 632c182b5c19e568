/*
 * What was served: the judge of "no answer was asked for twice".
 *
 * A call is a request for a completion, fully received. It counts as answered when it got a
 * correct 200 whose last byte was handed to the kernel; a deliberately broken 200 is not.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/behaviour.h"
#include "tests/sim/bytes.h"

#define STATUS_MAX 600

/* Counts per 64-bit hash of something. */
struct tally_entry {
	uint64_t hash;
	uint32_t calls, answered;
};

struct tally {
	struct tally_entry *entries; /* open addressing, a power of two */
	size_t n_slots, n_used;
	uint64_t repeated, answered_repeated;
};

struct counters {
	uint64_t calls, answered, without_key, closed_early;
	uint64_t in_flight, max_in_flight, waiting;
	uint64_t by_status[STATUS_MAX];
	uint64_t by_fault[_FAULT_MAX];
	double latency_seconds_sum; /* of the answered */
	int64_t last_closed_usec;   /* when a call was last closed early; CLOCK_MONOTONIC */
	struct tally by_key, by_body;
};

/* What a call is told apart by. */
struct call_identity {
	bool has_key;
	uint64_t key_hash, body_hash;
};

void counters_done(struct counters *counters);

/* What is in flight stays; all else starts at zero. */
void counters_reset(struct counters *counters);

void counters_call(struct counters *counters, const struct call_identity *identity);
void counters_answered(struct counters *counters, const struct call_identity *identity,
		       int64_t latency_usec);
void counters_status(struct counters *counters, int status);
void counters_enter(struct counters *counters);

/* The members of the /stats object, without its braces. */
void counters_print(const struct counters *counters, struct bytes *out);
