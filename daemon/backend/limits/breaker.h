/*
 * The breaker of an endpoint. It opens when BREAKER_FAILURES calls in a row have failed the way
 * calls do when an endpoint is down: no connection, no answer in time, a server error. Open, it
 * lets nothing through for a while; then one call goes first, as a probe. When that fails too, it
 * opens again for longer; any answer closes it.
 *
 * It knows no clock and no loop: whoever keeps it says when a wait is over.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_FAILURES 5
#define BREAKER_BASE_USEC INT64_C(1000000) // the first wait; each further one is twice as long
#define BREAKER_MAX_USEC INT64_C(30000000)

enum breaker_state {
	BREAKER_CLOSED,
	BREAKER_OPEN, // nothing goes
	BREAKER_PROBING, // one call may go, or is on its way
	_BREAKER_STATE_MAX,
};

struct breaker {
	enum breaker_state state;
	bool probe_away;
	int n_failures; // in a row, while closed
	int n_opened; // in a row
};

/* "closed", "open" or "probing". */
const char *breaker_name(const struct breaker *breaker);
/* Whether nothing may go now. */
bool breaker_blocks(const struct breaker *breaker);

/* A call failed. How long to wait, if this opened it, else 0; `random` lies in [0, 1). */
int64_t breaker_failed(struct breaker *breaker, bool probe, double random);
/* A call was answered. True when the breaker was not closed before. */
bool breaker_answered(struct breaker *breaker);
/* The wait is over. */
void breaker_try(struct breaker *breaker);
/* A call goes. True when it is the probe. */
bool breaker_issued(struct breaker *breaker);
/* The probe came back, whatever came of it. */
void breaker_probe_back(struct breaker *breaker);
