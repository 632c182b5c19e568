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
};

/* What carries a call's attempts. One of them ends with job_attempted(), or by `abort`; both run on
 * the backend's loop. */
struct transport {
	bool connects; // so that the first call to a cold origin goes alone

	/* The job's attempt begins, or ends at once. */
	void (*start)(struct job *job);
	/* Ends the attempt without a result; a connection in use is closed. Returns whether there
	 * was one, or none was needed. */
	bool (*abort)(struct job *job);
};

extern const struct transport transport_http; // transfer.c
extern const struct transport transport_simulated;
void simulated_run(struct backend *backend); // answers what is due, a bounded number at once

/* Of the target's dialect. */
const struct transport *transport_of(const struct llm_target *target);

/* ---- What can be done with a job; job.c ---- */

int job_new(struct backend_flow *flow, struct llm_call *call); // -ENOMEM
void job_start(struct job *job); // admitted
/* Its attempt is over, and nothing of it is left but `attempt`. */
void job_attempted(struct job *job, struct attempt *attempt);
/* Wherever it is. Aborts what is in flight. */
void job_cancel(struct job *job);
/* Takes it out of flight to wait once more, as if it had never been issued. */
void job_put_back(struct job *job);
/* Its attempt is over, for lack of file descriptors: it waits as if it had never been issued. */
void job_short_of_descriptors(struct job *job);
/* For a call that never became a job. */
void call_refuse(struct backend_flow *flow, struct llm_call *call, enum llm_outcome outcome);

/* Of its calls none is issued any more; flow.c. */
void flow_drain(struct backend_flow *flow);
