/*
 * How many calls an endpoint takes at once, learnt from what becomes of them. A window of successes
 * that were as many as it allows adds one; a failure begins the window anew; latency that has doubled
 * takes a tenth off and becomes the new measure, so that answers that are merely longer shrink it only
 * once.
 *
 * A refusal may be about the number of calls at once, or about their rate (limits/pace.h). It is about
 * the rate where as many went through at once since the last pause, or where a refusal before it left
 * another number in flight; it is about the number where that was the same. Then it is what is allowed,
 * and does not grow for a multiple of the pause. Where nothing at all went through, it is halved.
 *
 * It knows no clock and no loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum refusal_cause {
	CAUSE_NONE, // there was no refusal
	CAUSE_UNKNOWN,
	CAUSE_NUMBER,
	CAUSE_RATE,
};

struct aimd {
	double working;
	int most;
	double before; // what it was before refusals made it less; 0: they did not
	bool shrunk; // below where it began, or `most`
	bool was_full; // in this window

	int proven; // in flight at once, and not refused, since the last pause
	int wall; // what the last refusals left in flight; 0: none yet
	int left; // the same, in this pause
	int64_t refused_usec; // when it began; 0: not by a refusal
	bool number_ruled_out;
	int64_t grow_usec; // not before

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
/* True when the limit may have grown. The call had begun as the `among`th in flight, here and below. */
bool aimd_succeeded(struct aimd *aimd, int among, int64_t latency_usec, int in_flight,
		    int64_t now_usec);
void aimd_failed(struct aimd *aimd, int in_flight);
void aimd_refused(struct aimd *aimd, int among, int in_flight, int64_t now_usec);
/* The pause that followed is over: what is still in flight goes through. */
enum refusal_cause aimd_resumed(struct aimd *aimd, int in_flight, int64_t now_usec);
