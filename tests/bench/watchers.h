/*
 * Many who watch one task, each on a connection of its own, on one thread. What comes is checked
 * as it comes: every change and log line once and in order. They read bytes, not JSON: the time
 * that a thousand clients take is no part of what is measured.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/harness/daemon.h"

/* What one has been told. */
struct tally {
	int64_t sequence; // the last
	int64_t n_changes;
	int64_t n_lines;
	int64_t n_progress;
	uint64_t logs_hash; // of the lines as they lie on the wire
	bool ended; // the last reply was there
};

/* One message of WatchTask; dies of what is not in order. */
void tally_message(struct tally *tally, const char *message, size_t size);

struct watchers;

/* Connects them and has them watch the task from its first event. */
struct watchers *watchers_start(const struct daemon *daemon, int64_t task_id, unsigned n);
/* Reads until all have been told the end. */
void watchers_wait(struct watchers *watchers);
const struct tally *watchers_tally(const struct watchers *watchers, unsigned i);
