#include "daemon/backend/core.h"
#include "daemon/backend/flow_reply.h"
#include "daemon/base/clock.h"
#include "daemon/base/hash.h"

/* ---- Flows ---- */

static bool is_held_up(const struct job *job)
{
	const struct endpoint *endpoint = job->endpoint;

	if (job->state == JOB_IN_FLIGHT)
		return job->probe;
	if (job->state == JOB_TELLING)
		return false;
	return (endpoint->long_gates & (GATE_PAUSE | GATE_PACED)) ||
	       ((endpoint->long_gates & GATE_SPENT) && allowance_is_limited(job->call->target)) ||
	       (job->lane->answered && endpoint->breaker.state != BREAKER_CLOSED);
}

static bool is_held(const struct backend_flow *flow)
{
	const struct job *job;

	TAILQ_FOREACH(job, &flow->jobs, of_flow) {
		if (!is_held_up(job))
			return false;
	}
	return true;
}

void outage_look(struct backend *backend, struct backend_flow *flow)
{
	if (flow->to_look || TAILQ_EMPTY(&flow->jobs) || (backend->n_outages == 0 && !flow->held))
		return;
	flow->to_look = true;
	TAILQ_INSERT_TAIL(&backend->looks, flow, of_looks);
}

static void look_at_all(struct endpoint *endpoint)
{
	struct guest *guest;
	struct lane *lane;

	TAILQ_FOREACH(guest, &endpoint->guests, of_endpoint) {
		TAILQ_FOREACH(lane, &guest->lanes, of_guest)
			outage_look(endpoint->backend, lane->flow);
	}
}

static void count(struct endpoint *endpoint, bool begins)
{
	endpoint->backend->n_outages += begins ? 1 : -1;
	look_at_all(endpoint);
}

static bool tell_held(struct backend_flow *flow)
{
	const struct job *job = TAILQ_FIRST(&flow->jobs);
	const struct endpoint *endpoint = job->endpoint;
	bool limited = (endpoint->long_gates & GATE_SPENT) && allowance_is_limited(job->call->target);
	const struct gate *gate = gate_later(endpoint_gate(endpoint, job->lane->answered),
					     limited ? &endpoint->spent : NULL);

	if (!gate)
		gate = &endpoint->outage; // its probe is on its way
	return flow_hold(flow, true, "%s: %s; the next is tried in %.1f s",
			 endpoint->origin->name, gate->why,
			 (double)gate_left_usec(gate, job->backend->now_usec) / USEC_PER_SEC);
}

static bool tell_free(struct backend_flow *flow)
{
	struct job *job = TAILQ_FIRST(&flow->jobs);

	return flow_hold(flow, false, "%s: calls go again after %.1f s",
			   job->endpoint->origin->name,
			   (double)(job->backend->now_usec - flow->held_usec) / USEC_PER_SEC);
}

static void unlook(struct backend *backend, struct backend_flow *flow)
{
	if (!flow->to_look)
		return;
	flow->to_look = false;
	TAILQ_REMOVE(&backend->looks, flow, of_looks);
}

void outage_tell(struct backend *backend)
{
	struct backend_flow *flow;

	while ((flow = TAILQ_FIRST(&backend->looks))) {
		bool held = is_held(flow);

		unlook(backend, flow);
		/* For lack of memory it is told at the next change. */
		if (held && !flow->held && tell_held(flow)) {
			flow->held = true;
			flow->held_usec = backend->now_usec;
		} else if (!held && flow->held && tell_free(flow)) {
			flow->held = false;
		}
	}
}

void outage_leave(struct job *job)
{
	struct backend_flow *flow = job->lane->flow;

	outage_look(job->backend, flow);
	if (TAILQ_NEXT(TAILQ_FIRST(&flow->jobs), of_flow))
		return;
	unlook(job->backend, flow);
	if (flow->held)
		(void)tell_free(flow);
}

/* ---- The breaker ---- */

static void on_wait_over(struct deadline *deadline)
{
	struct endpoint *endpoint =
		(struct endpoint *)((char *)deadline - offsetof(struct endpoint, outage.until));

	breaker_try(&endpoint->breaker);
	admission_gates(&endpoint->backend->admission, endpoint);
}

void outage_issued(struct job *job)
{
	struct endpoint *endpoint = job->endpoint;

	job->probe = job->lane->answered && breaker_issued(&endpoint->breaker);
	if (job->probe)
		admission_gates(&job->backend->admission, endpoint);
}

void outage_left(struct job *job)
{
	if (!job->probe)
		return;
	breaker_probe_back(&job->endpoint->breaker);
	admission_gates(&job->backend->admission, job->endpoint);
}

void outage_notice(struct job *job, const struct gate *gate)
{
	flow_notice(job, "%s: %s; nothing is issued there for %.1f s", job->endpoint->origin->name,
		    gate->why, (double)gate_left_usec(gate, job->backend->now_usec) / USEC_PER_SEC);
}

bool outage_failed(struct job *job, const struct attempt *attempt)
{
	struct endpoint *endpoint = job->endpoint;
	struct backend *backend = job->backend;
	bool was_closed = endpoint->breaker.state == BREAKER_CLOSED;
	char failure[ENDPOINT_FAILURE_MAX];
	int64_t wait_usec;

	if (!job->lane->answered)
		return false;
	wait_usec = breaker_failed(&endpoint->breaker, job->probe, random_fraction(&backend->random));
	if (wait_usec > 0) {
		endpoint->outage.until.passed = on_wait_over;
		gate_close(&endpoint->outage, &backend->deadlines, backend->now_usec + wait_usec,
			   "calls fail one after the other, the last: %s",
			   endpoint_failure(endpoint, attempt, failure));
		admission_gates(&backend->admission, endpoint);
		if (was_closed)
			count(endpoint, true);
		outage_notice(job, &endpoint->outage);
	}
	if (endpoint->breaker.state == BREAKER_CLOSED)
		return false;
	return !job->probe || !attempt->connected;
}

void outage_answered(struct job *job)
{
	struct endpoint *endpoint = job->endpoint;

	job->lane->answered = true;
	if (!breaker_answered(&endpoint->breaker))
		return;
	deadline_unset(&job->backend->deadlines, &endpoint->outage.until);
	admission_gates(&job->backend->admission, endpoint);
	count(endpoint, false);
}

void outage_pause(struct endpoint *endpoint, enum gate_kind kind, bool begins)
{
	if (begins == !!(endpoint->long_gates & kind))
		return;
	endpoint->long_gates ^= kind;
	count(endpoint, begins);
}
