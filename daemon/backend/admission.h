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
#include <sys/queue.h>

#include "daemon/backend/backend.h"
#include "daemon/backend/endpoint.h"
#include "daemon/base/table.h"
#include "daemon/base/fair.h"
#include "daemon/base/turns.h"

struct job;
TAILQ_HEAD(jobs, job);
struct lane;
TAILQ_HEAD(lanes, lane);

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
	uint64_t served;
};

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
struct job *admission_next(struct admission *admission);
