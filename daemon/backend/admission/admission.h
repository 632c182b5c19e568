/*
 * Who is next. At an endpoint the flows take turns as daemon/base/turns.h says; between endpoints, the
 * user served longest ago. The last slot of the global cap is kept for interactive calls, and a
 * user has no more of it than daemon/base/fair.h allows. Nor has he more of the few long answers that
 * are read at a time.
 *
 * A lane is a flow's calls at one endpoint. It takes its turns while it has a call
 * that could go, and is parked while its flow's cap, its config's or a gate of the endpoint forbids
 * it. An
 * endpoint is in `ready` while it may have both such a lane and room; one without room leaves it
 * when it is looked at, and comes back by admission_consider(), to be called whenever that may
 * have changed. So finding the next call looks at nothing that cannot go.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/backend/traffic.h"

int admission_init(struct admission *admission);
void admission_done(struct admission *admission);

/* Finds the job's place, without queueing it. -ENOMEM. */
int admission_enter(struct admission *admission, struct backend_flow *flow, struct job *job);
void admission_leave(struct job *job);
/* The flow has no jobs, and gets none any more. */
void admission_close(struct admission *admission, struct backend_flow *flow);
/* The endpoint goes: lanes there, in which nothing is, go with it. */
void admission_forget(struct endpoint *endpoint);

void admission_queue(struct admission *admission, struct job *job, bool first);
void admission_unqueue(struct admission *admission, struct job *job);
void admission_ended(struct admission *admission, struct job *job); // left flight

/* Gives the flow's calls another priority and cap, wherever they are. */
void admission_tune(struct admission *admission, struct backend_flow *flow, int priority, int cap);

/* Whether the endpoint may have become able to take a call. */
void admission_consider(struct admission *admission, struct endpoint *endpoint);

/* Whether the endpoint's gates let lanes through has changed. */
void admission_gates(struct admission *admission, struct endpoint *endpoint);

/* The next call to be issued, counted as in flight from now on; NULL: none may go. */
struct job *admission_next(struct admission *admission, int64_t now_usec);
