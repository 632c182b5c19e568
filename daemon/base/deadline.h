/*
 * The one heap of everything on the backend's loop that happens at a time: ends of backoffs and
 * waits, time limits of attempts, simulated latencies. The loop's single timer serves its top.
 *
 * Room is made where a deadline's owner is made (deadlines_reserve), so that setting one never
 * fails.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadline {
	int64_t usec; // monotonic
	size_t place; // in the heap, from 1; 0: not set
	void (*passed)(struct deadline *deadline);
};

struct deadlines {
	struct deadline **heap;
	size_t n;
	size_t n_reserved;
	size_t capacity;
};

#define DEADLINE_NEVER INT64_MAX

void deadlines_done(struct deadlines *deadlines);
int deadlines_reserve(struct deadlines *deadlines, size_t n); // -ENOMEM
void deadlines_release(struct deadlines *deadlines, size_t n);

void deadline_set(struct deadlines *deadlines, struct deadline *deadline, int64_t usec);
void deadline_unset(struct deadlines *deadlines, struct deadline *deadline);

/* Calls `passed` of each that is due; it is not set any more then. */
void deadlines_run(struct deadlines *deadlines, int64_t now_usec);
int64_t deadlines_next(const struct deadlines *deadlines); // or DEADLINE_NEVER
