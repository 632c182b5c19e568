#include "daemon/backend/admission/hold.h"

#include "daemon/backend/callers/flow_reply.h"
#include "daemon/backend/core.h"
#include "daemon/base/clock.h"

#define LONG_USEC (2 * USEC_PER_SEC) // a pause longer than that holds flows

static bool is_held_up(const struct job *job)
{
	const struct endpoint *endpoint = job->endpoint;

	if (job->state == JOB_IN_FLIGHT)
		return job->probe;
	if (job->state == JOB_TELLING)
		return false;
	return (endpoint->long_gates & (GATE_PAUSE | GATE_PACED)) ||
	       ((endpoint->long_gates & GATE_SPENT) && budget_limits_any(&job->call->target->limits)) ||
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

void hold_look(struct backend *backend, struct backend_flow *flow)
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
			hold_look(endpoint->backend, lane->flow);
	}
}

void hold_outage(struct endpoint *endpoint, bool begins)
{
	endpoint->backend->n_outages += begins ? 1 : -1;
	look_at_all(endpoint);
}

/* The wait at that gate is long, or is no more. */
static void set_long(struct endpoint *endpoint, enum gate_kind kind, bool is_long)
{
	if (is_long == !!(endpoint->long_gates & kind))
		return;
	endpoint->long_gates ^= kind;
	hold_outage(endpoint, is_long);
}

void hold_if_long(struct endpoint *endpoint, const struct gate *gate, enum gate_kind kind)
{
	if (gate_left_usec(gate, endpoint->backend->ground.now_usec) > LONG_USEC)
		set_long(endpoint, kind, true);
}

void hold_over(struct endpoint *endpoint, enum gate_kind kind)
{
	set_long(endpoint, kind, false);
}

static bool tell_held(struct backend_flow *flow)
{
	const struct job *job = TAILQ_FIRST(&flow->jobs);
	const struct endpoint *endpoint = job->endpoint;
	bool limited = (endpoint->long_gates & GATE_SPENT) && budget_limits_any(&job->call->target->limits);
	const struct gate *gate = gate_later(endpoint_gate(endpoint, job->lane->answered),
					     limited ? &endpoint->spent : NULL);

	if (!gate)
		gate = &endpoint->outage; // its probe is on its way
	return flow_hold(flow, true, "%s: %s; the next is tried in %.1f s",
			 endpoint->origin->name, gate->why,
			 (double)gate_left_usec(gate, job->backend->ground.now_usec) / USEC_PER_SEC);
}

static bool tell_free(struct backend_flow *flow)
{
	struct job *job = TAILQ_FIRST(&flow->jobs);

	return flow_hold(flow, false, "%s: calls go again after %.1f s",
			   job->endpoint->origin->name,
			   (double)(job->backend->ground.now_usec - flow->held_usec) / USEC_PER_SEC);
}

static void unlook(struct backend *backend, struct backend_flow *flow)
{
	if (!flow->to_look)
		return;
	flow->to_look = false;
	TAILQ_REMOVE(&backend->looks, flow, of_looks);
}

void hold_tell(struct backend *backend)
{
	struct backend_flow *flow;

	while ((flow = TAILQ_FIRST(&backend->looks))) {
		bool held = is_held(flow);

		unlook(backend, flow);
		/* For lack of memory it is told at the next change. */
		if (held && !flow->held && tell_held(flow)) {
			flow->held = true;
			flow->held_usec = backend->ground.now_usec;
		} else if (!held && flow->held && tell_free(flow)) {
			flow->held = false;
		}
	}
}

void hold_leave(struct job *job)
{
	struct backend_flow *flow = job->lane->flow;

	hold_look(job->backend, flow);
	if (TAILQ_NEXT(TAILQ_FIRST(&flow->jobs), of_flow))
		return;
	unlook(job->backend, flow);
	if (flow->held)
		(void)tell_free(flow);
}
