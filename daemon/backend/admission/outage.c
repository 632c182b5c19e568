#include "daemon/backend/admission/outage.h"

#include "daemon/backend/admission/admission.h"
#include "daemon/backend/admission/endpoint.h"
#include "daemon/backend/admission/hold.h"
#include "daemon/backend/callers/flow_reply.h"
#include "daemon/backend/core.h"
#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/base/hash.h"

static void on_wait_over(struct deadline *deadline)
{
	struct endpoint *endpoint = container_of(deadline, struct endpoint, outage.until);

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
		    gate->why, (double)gate_left_usec(gate, job->backend->ground.now_usec) / USEC_PER_SEC);
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
	wait_usec = breaker_failed(&endpoint->breaker, job->probe, random_fraction(&backend->ground.random));
	if (wait_usec > 0) {
		endpoint->outage.until.passed = on_wait_over;
		gate_close(&endpoint->outage, &backend->ground.deadlines, backend->ground.now_usec + wait_usec,
			   "calls fail one after the other, the last: %s",
			   endpoint_failure(endpoint, attempt, failure));
		admission_gates(&backend->admission, endpoint);
		if (was_closed)
			hold_outage(endpoint, true);
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
	deadline_unset(&job->backend->ground.deadlines, &endpoint->outage.until);
	admission_gates(&job->backend->admission, endpoint);
	hold_outage(endpoint, false);
}
