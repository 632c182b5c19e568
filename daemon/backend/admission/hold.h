/*
 * Flows that are held: those that have calls, each of which waits for an endpoint that fails or
 * wants a long pause, or is its probe.
 *
 * Whoever changes what this depends on says so with hold_look(); it is decided once, at the end of
 * the turn.
 */
#pragma once

#include <stdbool.h>

#include "daemon/backend/traffic.h"

/* The gate is closed: if that is for long, the endpoint's flows may be held. */
void hold_if_long(struct endpoint *endpoint, const struct gate *gate, enum gate_kind kind);
/* It is open again. */
void hold_over(struct endpoint *endpoint, enum gate_kind kind);
/* Something that holds flows begins or ends at the endpoint, such as that its breaker is not closed. */
void hold_outage(struct endpoint *endpoint, bool begins);

/* Whether the flow is held may have changed. */
void hold_look(struct backend *backend, struct backend_flow *flow);
/* The job's flow loses it, perhaps its last. */
void hold_leave(struct job *job);
/* The end of a turn. */
void hold_tell(struct backend *backend);
