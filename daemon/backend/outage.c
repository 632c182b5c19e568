#include "daemon/backend/outage.h"

#include <stdio.h>

#include "daemon/backend/core.h"
#include "daemon/backend/flow.h"
#include "daemon/base/clock.h"
#include "proto/utf8.h"

/* ---- Flows ---- */

static bool is_held_up(const struct job *job)
{
	const struct endpoint *endpoint = job->endpoint;

	if (job->state == JOB_IN_FLIGHT)
		return job->probe;
	return endpoint->long_pause ||
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
	struct job *job = TAILQ_FIRST(&flow->jobs);
	struct endpoint *endpoint = job->endpoint;
	int64_t now_usec = job->backend->now_usec;

	if (endpoint->breaker.state != BREAKER_CLOSED && job->lane->answered)
		return flow_hold(flow, true,
				   "%s: calls fail one after the other, the last: %s; they wait "
				   "until one succeeds, the next is tried in %.1f s",
				   endpoint->origin->name, endpoint->last_failure,
				   (double)endpoint_wait_left(endpoint, now_usec) / USEC_PER_SEC);
	return flow_hold(flow, true, "%s asks for a pause: calls wait for %.1f s",
			   endpoint->origin->name,
			   (double)endpoint_wait_left(endpoint, now_usec) / USEC_PER_SEC);
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
		(struct endpoint *)((char *)deadline - offsetof(struct endpoint, retry));

	breaker_try(&endpoint->breaker);
	admission_breaker(&endpoint->backend->admission, endpoint);
}

void outage_issued(struct job *job)
{
	struct endpoint *endpoint = job->endpoint;

	job->probe = job->lane->answered && breaker_issued(&endpoint->breaker);
	if (job->probe)
		admission_breaker(&job->backend->admission, endpoint);
}

void outage_left(struct job *job)
{
	if (!job->probe)
		return;
	breaker_probe_back(&job->endpoint->breaker);
	admission_breaker(&job->backend->admission, job->endpoint);
}

static void keep_failure(struct endpoint *endpoint, const struct attempt *attempt)
{
	char *text = endpoint->last_failure;
	size_t size = sizeof(endpoint->last_failure);
	int n;

	/* What the provider said to one user is not for the others. */
	if (endpoint_is_shared(endpoint) && attempt->status > 0)
		n = snprintf(text, size, "HTTP status %d", attempt->status);
	else if (attempt->status > 0)
		n = snprintf(text, size, "HTTP status %d (%s)", attempt->status, attempt->message);
	else
		n = snprintf(text, size, "%s", attempt->message);
	if (n >= (int)size)
		text[utf8_cut(text, size, size - 1)] = '\0';
}

bool outage_failed(struct job *job, const struct attempt *attempt)
{
	struct endpoint *endpoint = job->endpoint;
	struct backend *backend = job->backend;
	bool was_closed = endpoint->breaker.state == BREAKER_CLOSED;
	int64_t wait_usec;

	if (!job->lane->answered)
		return false;
	keep_failure(endpoint, attempt);
	wait_usec = breaker_failed(&endpoint->breaker, job->probe, backend_random(backend));
	if (wait_usec > 0) {
		endpoint->retry.passed = on_wait_over;
		deadline_set(&backend->deadlines, &endpoint->retry,
			     backend->now_usec + wait_usec);
		admission_breaker(&backend->admission, endpoint);
		if (was_closed)
			count(endpoint, true);
		flow_notice(job, "%s: %s; nothing is issued there for %.1f s",
			    endpoint->origin->name, endpoint->last_failure,
			    (double)wait_usec / USEC_PER_SEC);
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
	deadline_unset(&job->backend->deadlines, &endpoint->retry);
	admission_breaker(&job->backend->admission, endpoint);
	count(endpoint, false);
}

void outage_pause(struct endpoint *endpoint, bool begins)
{
	if (endpoint->long_pause == begins)
		return;
	endpoint->long_pause = begins;
	count(endpoint, begins);
}
