/*
 * Whether every thread still answers. Twice in each period of the service manager's watchdog every
 * watched loop gets a message to give back. The manager is told that all is well unless a loop owes
 * its message from the time before and has not moved since either (loop_turns(): a long operation
 * of the store moves it, too).
 *
 * It lives on the loop that it is made for; nothing else in the daemon depends on it.
 */
#pragma once

#include <stdint.h>

struct loop;
struct watchdog;

#define WATCHDOG_LOOPS_MAX 512

/* Starts feeding. `loops` is copied; they must have stopped before watchdog_free(). */
int watchdog_new(struct loop *home, uint64_t period_usec, struct loop *const *loops,
		 unsigned n_loops, struct watchdog **ret_watchdog);
struct watchdog *watchdog_free(struct watchdog *watchdog);
