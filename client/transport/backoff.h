/*
 * When to look again for a daemon that went away: at once, then ever more rarely, with jitter so that
 * many clients do not come back in step.
 */
#pragma once

#include <stdint.h>
#include <time.h>

#define BACKOFF_FIRST_USEC 10000
#define BACKOFF_LAST_USEC 1000000

static inline uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

static inline struct timespec timespec_of(uint64_t usec)
{
	return (struct timespec){ .tv_sec = (time_t) (usec / 1000000),
				  .tv_nsec = (long) (usec % 1000000) * 1000 };
}

struct backoff {
	uint64_t delay_usec; // before the try after the next; 0: nothing has failed
	uint64_t retry_usec; // the next try, monotonic; 0: now
};

/* A try failed. */
static inline void backoff_failed(struct backoff *backoff, uint64_t now)
{
	uint64_t delay = backoff->delay_usec ? backoff->delay_usec : BACKOFF_FIRST_USEC;

	backoff->retry_usec = now + delay / 2 + now % (delay / 2);
	backoff->delay_usec = 2 * delay < BACKOFF_LAST_USEC ? 2 * delay : BACKOFF_LAST_USEC;
}

static inline void backoff_reset(struct backoff *backoff)
{
	backoff->delay_usec = backoff->retry_usec = 0;
}
