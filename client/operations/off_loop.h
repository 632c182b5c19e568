/*
 * Functions that block, on threads of the library: the threads start on demand and end with the
 * handle. What a function returned comes back to the loop's thread by handle_post().
 *
 * A job belongs to the loop's thread but between its queue and its post, when only `work`,
 * `userdata` and `result` are used, by the thread that runs it.
 */
#pragma once

#include <stdbool.h>

struct ellu_op;
struct off_loop;

/* All accept NULL: nothing ran off the loop yet. */
bool off_loop_is_own_thread(const struct off_loop *off_loop);
/* After ops_abandon(), which has left out those that wait: waits for the functions that run.
 * Returns NULL. */
struct off_loop *off_loop_stop(struct off_loop *off_loop);

/* The operation does not wait any more. */
void off_loop_abandon(struct ellu_op *op);
