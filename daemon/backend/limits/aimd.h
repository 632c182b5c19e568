/*
 * How many calls an endpoint takes at once, learnt from what becomes of them: additive increase,
 * multiplicative decrease. A refusal halves it, once for all calls that were already under way; a
 * window of successes that were as many as it allows adds one; a failure begins the window anew;
 * latency that has doubled takes a tenth off and becomes the new measure, so that answers that are
 * merely longer shrink it only once.
 *
 * It knows no clock and no loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct aimd {
	double working;
	int most;
	bool shrunk; // below where it began, or `most`
	bool was_full; // in this window
	int64_t shrunk_usec;
	int growth_pause; // windows in which it does not grow
	int window_n;
	int64_t window_usec; // sum of latencies
	int64_t best_usec; // mean of the measuring window, 0: none yet
};

/* Where it begins, and what it may grow to. Called again it begins there only if it was never
 * shrunk. */
void aimd_set(struct aimd *aimd, int start, int most);
int aimd_limit(const struct aimd *aimd);

/* `in_flight` counts the call that was issued; below, those that are left. */
void aimd_issued(struct aimd *aimd, int in_flight);
/* True when the limit may have grown. */
bool aimd_succeeded(struct aimd *aimd, int64_t latency_usec, int in_flight, int64_t now_usec);
void aimd_failed(struct aimd *aimd, int in_flight);
/* The call had begun at started_usec. */
void aimd_refused(struct aimd *aimd, int64_t started_usec, int in_flight, int64_t now_usec);
