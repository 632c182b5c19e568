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
#include <sys/queue.h>

#include "daemon/backend/backend.h"
#include "daemon/backend/limits/aimd.h"
#include "daemon/backend/limits/breaker.h"
#include "daemon/backend/limits/budget.h"
#include "daemon/backend/limits/gate.h"
#include "daemon/backend/limits/pace.h"
#include "daemon/backend/dialect/dialect.h"
#include "daemon/backend/limits/retry.h"
#include "daemon/backend/limits/told.h"
#include "daemon/base/table.h"
#include "daemon/base/turns.h"

#define ENDPOINTS_KEPT 64 // of a user; more are forgotten when they have nothing to do
#define ENDPOINTS_UNWELL_KEPT 256 // more even when they fail or want to be left alone

enum origin_state {
	ORIGIN_COLD, // one call goes first
	ORIGIN_PROBING, // it is on its way
	ORIGIN_WARM,
};

struct origin {
	struct table_node node; // endpoints::origins
	struct pool *pool; // whose it is
	struct llm_target *target; // the first one's: how it is reached; a reference
	const char *name; // the target's
	bool connects; // calls need a connection
	enum origin_state state;
	int in_flight;
	int64_t used_usec; // when something last ended there
	unsigned n_endpoints;
};

enum gate_kind {
	GATE_PAUSE = 1,
	GATE_PACED = 2,
	GATE_SPENT = 4,
};

struct bearer;
struct job;
struct guest;
TAILQ_HEAD(guests, guest);

struct endpoint {
	struct table_node node; // endpoints::table
	TAILQ_ENTRY(endpoint) of_all; // endpoints::all, used last at the end
	TAILQ_ENTRY(endpoint) of_ready; // admission::ready
	struct backend *backend;
	struct origin *origin;
	struct llm_target *target; // the first one's: what it is; a reference

	bool ready; // is in admission::ready
	struct turns turns; // users with calls that could go
	struct guests guests; // all users with calls

	int in_flight;
	int waiting; // backing off included
	struct aimd working;
	uint32_t caps[BACKEND_CONNECTIONS_MAX + 1]; // calls by their config's cap, 0: none
	int loosest; // of those present, 0: one without

	struct gate pause; // that it asked for
	int64_t wait_streak;
	bool resumed; // the next call is the first after a pause
	struct heads heads;
	unsigned long_gates; // of enum gate_kind: waits that hold flows
	struct breaker breaker;
	struct gate outage; // while the breaker is open; it says why until it is closed
	struct request_form form;
	struct bearer *bearer; // of a key that is exchanged; NULL: it was not yet

	struct pace pace; // what is learnt of its rate
	struct told told[_TOLD_MAX]; // what it says is left
	double tokens; // that calls took, as far as is known
	struct gate paced; // until the next call may go, for these two
	struct budget budget; // what configs allow
	struct budget_limits limits; // of the call that came last and has any
	struct gate spent; // until a call with such a config may go; of several, the first

	int64_t calls, answered, retries, waits, errors;
};
TAILQ_HEAD(endpoint_list, endpoint);

struct endpoints {
	struct table table;
	struct table origins;
	struct endpoint_list all;
};

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
/* What keeps calls from going there, and until when, or NULL: they may, as far as there is room. An
 * outage keeps only those of flows that were answered before; what configs allow is not asked here. */
static inline const struct gate *endpoint_gate(const struct endpoint *endpoint, bool answered)
{
	bool out = answered && breaker_blocks(&endpoint->breaker);
	bool paused = gate_is_closed(&endpoint->pause), paced = gate_is_closed(&endpoint->paced);

	return gate_later(gate_later(paused ? &endpoint->pause : NULL, out ? &endpoint->outage : NULL),
			  paced ? &endpoint->paced : NULL);
}

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
