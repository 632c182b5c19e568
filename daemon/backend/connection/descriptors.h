/*
 * When file descriptors run out, it is this process that has too few, and no endpoint that fails:
 * calls wait and no attempt is used up. Connections to endpoints take no more than their share
 * (daemon/base/file_share.h), so that clients find some.
 *
 * At a shortage idle connections give way, and no more calls go at once than went before it; while
 * none is met again, the number grows back. Nothing is issued until a call has left flight or some
 * time has passed, so that a shortage is never asked about in a loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/backend/ground.h"
#include "daemon/base/fair.h"

struct descriptors {
	struct ground *ground;
	const struct fair *slots; // of calls in flight
	int n_sockets; // that lead to endpoints
	int max_sockets;
	bool waits; // nothing is issued
	bool give_way; // idle connections, when curl is not at work
	bool eased; // they may stay again
	int64_t ceiling; // calls in flight at most; 0: no shortage was met lately
	int64_t n_short; // in a row
	struct deadline retry;
};

int descriptors_init(struct descriptors *descriptors, struct ground *ground, const struct fair *slots); // -ENOMEM
void descriptors_done(struct descriptors *descriptors);

/* Whether one more may be opened for a connection. */
static inline bool descriptors_allow_socket(const struct descriptors *descriptors)
{
	return descriptors->n_sockets < descriptors->max_sockets;
}
/* Whether the process cannot open anything at this moment. */
bool descriptors_are_out(void);

/* A call, which is over, met a shortage. */
void descriptors_short(struct descriptors *descriptors);
/* A call has left flight. */
void descriptors_freed(struct descriptors *descriptors);
bool descriptors_allow_call(const struct descriptors *descriptors);
