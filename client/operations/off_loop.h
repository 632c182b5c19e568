/*
 * Functions that block, each on a thread of the library. What one returned comes back to the loop's
 * thread by handle_post(), and there the next one starts.
 *
 * A job belongs to the loop's thread; while it runs, its own thread uses `work`, `userdata` and
 * `result`, until its post.
 */
#pragma once

#include <stdbool.h>

struct ellu;

bool off_loop_is_own_thread(const struct ellu *handle);

/* After ops_abandon(), which has left out those that wait: waits for the functions that run. */
void off_loop_stop(struct ellu *handle);
