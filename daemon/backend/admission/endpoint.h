/*
 * What is known of an endpoint, which is an origin, as one user reaches it, with a key and a
 * model: how many calls it may have in flight, until when it wants to be left alone, which form of
 * request it takes. Nothing of it is known to another user, but where a config is shared: such an
 * endpoint is one for all.
 *
 * The working concurrency (limits/aimd.h) starts at the loosest of its calls' caps, or at
 * BACKEND_CONNECTIONS_START without one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/backend/dialect/attempt.h"
#include "daemon/backend/traffic.h"

#define ENDPOINTS_KEPT 64 // of a user; more are forgotten when they have nothing to do
#define ENDPOINTS_UNWELL_KEPT 256 // more even when they fail or want to be left alone

int endpoints_init(struct endpoints *endpoints);
void endpoints_done(struct backend *backend);
/* Where the user's calls with the target go. -ENOMEM. */
int endpoint_get(struct backend *backend, struct llm_target *target, int64_t user,
		 struct endpoint **ret_endpoint);
/* Whether it is one for all users. */
bool endpoint_is_shared(const struct endpoint *endpoint);

/* A call of the target comes and goes. */
void endpoint_enter(struct endpoint *endpoint, const struct llm_target *target);
void endpoint_leave(struct endpoint *endpoint, const struct llm_target *target);

/* Ends a wait that it asked for. */
void endpoint_resume(struct endpoint *endpoint);
void endpoint_issued(struct job *job);
void endpoint_ended(struct endpoint *endpoint);
/* What the job's attempt took is known; the answer to it told what is left (allowance.h). */
void endpoint_settled(struct job *job, const struct attempt *attempt);
void endpoint_told(struct job *job, const struct told news[static _TOLD_MAX]);
/* A connection stands: the origin is warm. */
void endpoint_connected(struct endpoint *endpoint);
/* An attempt never got that far. */
void endpoint_not_connected(struct endpoint *endpoint);

void endpoint_succeeded(struct endpoint *endpoint, const struct job *job, int64_t latency_usec);
void endpoint_failed(struct endpoint *endpoint);
/* The job's attempt says that nothing is to be issued for a while. */
void endpoint_wait(struct endpoint *endpoint, struct job *job, const struct attempt *attempt);

/* What may be told of an attempt that failed: what the provider said to one user is not for the
 * others. */
#define ENDPOINT_FAILURE_MAX 240
const char *endpoint_failure(const struct endpoint *endpoint, const struct attempt *attempt,
			     char text[static ENDPOINT_FAILURE_MAX]);
