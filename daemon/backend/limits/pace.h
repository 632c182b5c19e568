/*
 * How many calls a second an endpoint takes, learnt from what it refuses where nobody says it.
 *
 * Once the number of calls at once is ruled out as what refusals are about (limits/aimd.h), what went
 * through until then, over the time until the endpoint lets calls through again, is its rate: of a window,
 * of a sliding one and of a bucket alike. From then on calls go a little slower than that, evenly. A
 * further refusal lowers the rate; without one it rises after a while, slowly and then faster. That while
 * is a multiple of the pause that the last refusal brought about, and of the time that a call has, so
 * that what finding out costs is a small part of the time, and of the calls.
 *
 * Where calls are refused at less than what went through before, it is not for their rate, and that is
 * let be for a while. And a pause of many minutes is no matter of a rate.
 *
 * As long as it isn't known what refusals are about, what went through is where calls start from, soon
 * twice as fast, until the next refusal says it or the rate is not what holds them back.
 *
 * It knows no clock and no loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/backend/limits/aimd.h"

#define PACE_SLOTS 64

struct pace {
	double rate; // calls a second; 0: unknown, and nothing is held back
	bool trial; // it may be no rate that is refused
	double first; // what it began at when it was last learnt
	double good; // what it was before it last rose; 0: it did not since a refusal
	double growth; // what is added next, as a part of it
	int64_t next_usec; // no call before
	int n_lowered; // in a row
	double seen; // that went through since it was learnt
	int64_t deaf_usec; // until then refusals are not about a rate
	bool binding; // held a call back since it last rose
	int64_t grow_usec; // not before
	int64_t pause_usec; // that the last refusal brought about, and those after it until a call went

	int64_t epoch_usec; // of the first call after the last pause; 0: there was none yet
	int64_t n; // that went since, and were not refused
	int64_t resumed_usec; // when the last pause was over
	int64_t before_usec; // as epoch_usec and n, of the epoch before
	int64_t n_before;
	int64_t refused_usec; // when a refusal began this pause; 0: none did

	/* Calls that went through of late, the latest second at `last`. */
	struct pace_slot {
		int64_t begin_usec; // of its first call; 0: empty
		int64_t n;
	} slots[PACE_SLOTS];
	unsigned last;
};

/* A call goes. */
void pace_issued(struct pace *pace, int64_t now_usec);
/* One has to wait for next_usec. */
void pace_held(struct pace *pace);
/* A call that had begun at started_usec was refused; a pause follows. */
void pace_refused(struct pace *pace, int64_t started_usec, int64_t now_usec);
/* The pause is over. */
void pace_resumed(struct pace *pace, enum refusal_cause cause, int64_t now_usec);
/* A call failed: no time to find out more. */
void pace_failed(struct pace *pace, int64_t now_usec);
