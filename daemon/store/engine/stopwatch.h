/*
 * How long the writer is held: the slowest operation and the slowest commit since the daemon
 * started, and a warning that names an operation beyond its bound. The writer's thread notes;
 * any thread may read the atomics.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* No operation may hold the writer for longer. */
#define OPERATION_USEC_MAX 50000
/* At most one warning in so long a time; how many were left out is said in the next. */
#define SLOW_WARNING_USEC 10000000

struct stopwatch {
	_Atomic(const char *) slowest; // its name; NULL: none yet
	atomic_int_fast64_t slowest_usec;
	atomic_int_fast64_t slowest_commit_usec; // the disk's part: commits and checkpoints
	int64_t warned_usec; // monotonic; 0: not yet
	unsigned n_unsaid;
};

/* What has run since `begun`, a monotonic time. `name` must be a literal. Answers the time now. */
int64_t stopwatch_operation(struct stopwatch *watch, const char *name, int64_t begun);
void stopwatch_commit(struct stopwatch *watch, int64_t begun);
