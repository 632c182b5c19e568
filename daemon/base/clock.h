/* The two clocks. Limits and order use the monotonic one; the wall clock only dates records. */
#pragma once

#include <stdint.h>
#include <time.h>

#define USEC_PER_SEC INT64_C(1000000)
#define USEC_PER_MSEC INT64_C(1000)

static inline int64_t clock_usec(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

static inline int64_t clock_monotonic_usec(void)
{
	return clock_usec(CLOCK_MONOTONIC);
}

/* What the calling thread has had of a processor. */
static inline int64_t clock_thread_usec(void)
{
	return clock_usec(CLOCK_THREAD_CPUTIME_ID);
}

static inline int64_t clock_wall_usec(void)
{
	return clock_usec(CLOCK_REALTIME);
}
