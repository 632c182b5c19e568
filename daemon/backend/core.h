/*
 * What the files of this folder share: the backend itself and a call's state inside it.
 *
 * A job is in exactly one place: waiting in its lane, backing off (its deadline is set), in
 * flight, or answered and not yet told. Only a job in flight counts against any limit. Everything here lives on the backend's
 * loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/backend/admission.h"
#include "daemon/backend/backend.h"
#include "daemon/backend/bearer.h"
#include "daemon/backend/descriptors.h"
#include "daemon/backend/endpoint.h"
#include "daemon/backend/exchange.h"
#include "daemon/backend/pool.h"
#include "daemon/backend/wire/buffer.h"
#include "daemon/backend/dialect/dialect.h"
#include "daemon/backend/wire/json.h"
#include "daemon/backend/limits/retry.h"
#include "daemon/backend/provider_batch.h"
#include "daemon/backend/stream.h"
#include "daemon/base/deadline.h"

struct event;
struct transport;

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

struct backend {
	struct loop *loop;
	struct event *timer;
	int64_t timer_usec; // what the timer is set to, or DEADLINE_NEVER
	int64_t now_usec; // of this turn
	struct deadlines deadlines;
	struct endpoints endpoints;
	struct admission admission;
	int n_outages; // endpoints whose breaker is not closed, and long pauses
	struct flows looks; // whether they are held is to be looked at
	bool draining;
	struct pools pools;
	struct bearers bearers;
	struct exchanges exchanges;
	struct batch_list batches; // that something is asked about
	bool uncollected; // transfers have finished that had no turn yet
	struct transfers unread; // answers that wait until others, or what came of them, have been read
	struct transfers news; // something came for who reads their streams
	bool read_on; // one of them may be next
	struct deadline rested; // sets it
	struct descriptors descriptors;
	struct jobs simulated_due;
	struct json_reader reader;
	uint64_t random;
	const struct transport *const *transports; // by enum transport_kind
};

/* Of its calls none is issued any more; flow.c. */
void flow_drain(struct backend_flow *flow);
