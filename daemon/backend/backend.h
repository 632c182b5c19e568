/*
 * The pooled backend connection: one loop with libcurl's multi handle, through which every LLM
 * call of the daemon goes. It knows nothing of experiments: a call is messages and parameters
 * in, text or a classified error out. Whose turn it is, and who hears of waits, is said once, for
 * all calls of a flow.
 *
 * A call is handed over with backend_submit() and comes back on the thread of its flow through
 * `done`, exactly once, also after a cancel. In between it belongs to the backend. A call is
 * admitted only when its endpoint's working concurrency, its config's cap, its flow's cap, its
 * user's share and the global cap all allow it at that instant; what waits holds nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/backend/call.h"

struct backend;

/* Once per process, before any thread. */
int backend_global_init(void);

/* `loop` is the backend's own loop; not yet running. */
int backend_new(struct loop *loop, struct backend **ret_backend);
/* Its loop must have stopped; every call must have come back. */
struct backend *backend_free(struct backend *backend);

/* Any thread, as all below. -ENOMEM. What of an endpoint's outage a flow waits out, and what it only
 * fails by, depends on whether it was ever answered there: a task has one flow. */
int backend_flow_open(struct backend *backend, const struct backend_flow_options *options,
		      struct backend_flow **ret_flow);
/* Every call must have come back. Nothing of `options` is called any more. NULL is fine. */
struct backend_flow *backend_flow_close(struct backend_flow *flow);

void backend_submit(struct backend_flow *flow, struct llm_call *call);

/* Aborts every call of the flow that was submitted before; each comes back LLM_CANCELLED (or
 * answered, if the answer was complete). Connections in use are closed. -ENOMEM. */
int backend_flow_cancel(struct backend_flow *flow);

/* Of the calls of the flow that were submitted before none is issued or retried any more: those
 * that wait come back LLM_CANCELLED, those in flight finish. -ENOMEM. */
int backend_flow_drain(struct backend_flow *flow);

/* Its calls have this priority and this cap from now on, those that wait too. -ENOMEM. */
int backend_flow_tune(struct backend_flow *flow, int priority, int cap);

/* The pauses that the user's own endpoints asked for end now; -ENOMEM. One that is
 * shared is not the user's to hurry. */
int backend_lift_pauses(struct backend *backend, int64_t user);

/* How many calls may be in flight, in all and of one user; what is beyond stays. */
int backend_set_limits(struct backend *backend, int64_t max_calls, int64_t max_calls_per_user);

/* From now on no call is issued or retried: those that wait come back LLM_CANCELLED,
 * those in flight finish. */
int backend_drain(struct backend *backend);

/* A snapshot of the endpoints, for GetStatus: the user's own and those that are shared, or all. */
struct backend_status {
	struct message message;
	struct loop *reply_to;
	void (*done)(struct backend_status *status);
	void *userdata;
	int64_t user;
	bool all;
	struct arena arena;
	const struct ellu_endpoint_status *const *endpoints;
	size_t n_endpoints;
};
void backend_status_get(struct backend *backend, struct backend_status *status);
