/*
 * Who asks whom: endpoints, the users with calls there, their flows, and the calls on their way.
 *
 * A lane is a flow's calls at one endpoint. A job is a call, and in exactly one place: waiting in its
 * lane, backing off (its deadline is set), in flight, or answered and not yet told. Only a job in
 * flight counts against any limit. Everything here lives on the backend's loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/backend/call.h"
#include "daemon/backend/dialect/request_form.h"
#include "daemon/backend/ground.h"
#include "daemon/backend/limits/aimd.h"
#include "daemon/backend/limits/breaker.h"
#include "daemon/backend/limits/budget.h"
#include "daemon/backend/limits/gate.h"
#include "daemon/backend/limits/loop_share.h"
#include "daemon/backend/limits/pace.h"
#include "daemon/backend/limits/retry.h"
#include "daemon/backend/limits/told.h"
#include "daemon/backend/wire/buffer.h"
#include "daemon/base/fair.h"
#include "daemon/base/table.h"
#include "daemon/base/turns.h"

struct backend;
struct guest;
TAILQ_HEAD(guests, guest);
struct lane;
TAILQ_HEAD(lanes, lane);

/* ---- Whom ---- */

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

/* What keeps calls from going there, and until when, or NULL: they may, as far as there is room. An
 * outage keeps only those of flows that were answered before; what configs allow is not asked here. */
static inline const struct gate *endpoint_gate(const struct endpoint *endpoint, bool answered)
{
	bool out = answered && breaker_blocks(&endpoint->breaker);
	bool paused = gate_is_closed(&endpoint->pause), paced = gate_is_closed(&endpoint->paced);

	return gate_later(gate_later(paused ? &endpoint->pause : NULL, out ? &endpoint->outage : NULL),
			  paced ? &endpoint->paced : NULL);
}

/* ---- Who ---- */

/* Who has flows, as the backend knows him; what he may have of the fronts is a struct user. */
struct backend_user {
	struct table_node node; // admission::users
	int64_t id;
	uint64_t served; // when, counted in admissions
	int64_t in_flight;
	int64_t long_answers; // of those in flight
	int64_t stream_bytes; // held of other streams, beyond what any answer may hold
	int64_t rests_until_usec; // no further one is read
	unsigned n_flows;
};

/* A user at an endpoint. */
struct guest {
	struct turns_user turn; // in endpoint::turns
	TAILQ_ENTRY(guest) of_endpoint; // endpoint::guests
	struct endpoint *endpoint;
	struct backend_user *user;
	struct lanes lanes; // all of them
};

struct backend_flow {
	struct backend *backend;
	struct backend_flow_options options; // priority and cap change by backend_flow_tune()
	struct message closing;

	/* The rest is from its first call on, and the backend's loop's alone. */
	TAILQ_ENTRY(backend_flow) of_all; // admission::flows
	struct backend_user *user; // NULL: it had no call yet
	int in_flight;
	struct jobs jobs; // all of them, wherever they are
	struct lanes lanes;
	TAILQ_ENTRY(backend_flow) of_looks; // backend::looks
	bool to_look; // is in it
	bool held; // was told that none of its calls can go
	int64_t held_usec; // since when
};
TAILQ_HEAD(flows, backend_flow);

enum lane_state {
	LANE_EMPTY,
	LANE_ACTIVE,
	LANE_PARKED,
};

struct lane {
	struct turns_item turn; // waits while active
	TAILQ_ENTRY(lane) of_guest; // guest::lanes
	TAILQ_ENTRY(lane) of_flow; // flow::lanes
	struct guest *guest;
	struct backend_flow *flow;
	enum lane_state state;
	struct jobs jobs; // waiting
	int in_flight;
	bool connected; // a call of the flow got a connection to the endpoint
	bool answered; // and an answer: an outage there is waited out
	int64_t noticed_usec; // when a line for the task's log was last made
};

struct admission {
	struct table users;
	struct flows flows;
	struct endpoint_list ready;
	struct fair slots; // of the global cap
	struct fair long_answers; // that may be read
	struct loop_shares shares;
	uint64_t served;
};

/* ---- What ---- */

enum job_state {
	JOB_WAITING,
	JOB_BACKING_OFF,
	JOB_IN_FLIGHT,
	JOB_TELLING, // answered; who reads the answer as a stream has not all of it
};

struct job {
	struct backend *backend;
	struct llm_call *call;
	struct endpoint *endpoint;
	struct lane *lane;
	TAILQ_ENTRY(job) of_lane; // lane::jobs while waiting; backend::simulated_due; bearer::jobs
	TAILQ_ENTRY(job) of_flow; // flow::jobs
	enum job_state state;
	struct deadline deadline; // end of a backoff; end of a simulated latency
	struct transfer *transfer; // while in flight, unless simulated or waiting for a bearer
	int64_t bearer_number; // of the token that its attempt was sent with
	struct buffer body; // built once, and again when the form changes
	struct request_form form; // of the body
	int64_t started_usec; // of the attempt
	char *first_message; // of the first attempt that failed, or NULL
	int among; // so many were in flight with it, when it was issued
	int64_t tokens; // that it was thought to take
	int64_t tokens_before; // that attempts before it took
	int64_t calls_before; // endpoint::calls and tokens, when it was issued
	double tokens_taken;
	unsigned n_issued; // attempts and what does not count as one
	unsigned n_forms; // changes of the form
	bool due; // is in backend::simulated_due
	bool probe; // its attempt is the breaker's probe
	bool head; // its attempt is the first after a pause that the endpoint asked for
	int n_refused; // as such
	int64_t refused_at; // one more than endpoint::answered when it was refused last; 0: it was not
	bool drained; // finishes what is in flight, and is not issued again
};
