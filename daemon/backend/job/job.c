/*
 * A call's way through the backend: queued, issued, tried again, and back to who asked. Each
 * job_*() leaves the job in one of its places, or gone and its call on the way back.
 */
#include "daemon/backend/job/job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/admission/admission.h"
#include "daemon/backend/admission/endpoint.h"
#include "daemon/backend/admission/hold.h"
#include "daemon/backend/admission/outage.h"
#include "daemon/backend/callers/flow_reply.h"
#include "daemon/backend/callers/stream.h"
#include "daemon/backend/core.h"
#include "daemon/backend/transport.h"
#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/base/hash.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

#define FORMS_MAX 4 // more changes of the request's form than that are going in circles

static const struct transport *transport_of(const struct job *job)
{
	return job->backend->transports[job->call->target->dialect->transport];
}

static void call_return(const struct backend_flow *flow, struct llm_call *call,
			enum llm_outcome outcome)
{
	call->outcome = outcome;
	flow_return(flow, call);
}

static void call_reset(struct llm_call *call)
{
	call->fault.code = 0;
	call->text = call->tool_calls = call->finish_reason = NULL;
	call->vectors = NULL;
	call->replaced = 0;
	call->input_tokens = call->output_tokens = call->reasoning_tokens = -1;
	call->cached_tokens = -1;
	call->cost_nanodollars = -1;
	call->attempts = 0;
	call->duration_usec = 0;
}

void call_refuse(struct backend_flow *flow, struct llm_call *call, enum llm_outcome outcome)
{
	call_reset(call);
	if (outcome != LLM_CANCELLED)
		fault_oom(&call->fault);
	call_return(flow, call, outcome);
}

static void job_free(struct job *job)
{
	deadline_unset(&job->backend->ground.deadlines, &job->deadline);
	deadlines_release(&job->backend->ground.deadlines, 1);
	buffer_done(&job->body);
	free(job->first_message);
	free(job);
}

static void job_end(struct job *job, enum llm_outcome outcome)
{
	struct backend_flow *flow = job->lane->flow;
	struct llm_call *call = job->call;

	if (call->stream)
		stream_leave(call->stream);
	endpoint_leave(job->endpoint, call->target);
	hold_leave(job);
	admission_leave(job);
	job_free(job);
	call_return(flow, call, outcome);
}

/* It is neither waiting nor in flight any more. */
static void job_finish(struct job *job, enum llm_outcome outcome)
{
	if (outcome == LLM_ANSWERED && job->call->stream && !stream_finish(job->call->stream))
		job->state = JOB_TELLING;
	else
		job_end(job, outcome);
}

/* Who reads its stream has had what he was told. */
static void read_on(struct job *job)
{
	job->backend->read_on = true;
	if (job->state == JOB_TELLING)
		job_finish(job, LLM_ANSWERED);
	else
		stream_tell(job->call->stream);
}

int job_new(struct backend_flow *flow, struct llm_call *call)
{
	struct backend *backend = flow->backend;
	struct job *job = calloc(1, sizeof(*job));

	if (!job || deadlines_reserve(&backend->ground.deadlines, 1) < 0) {
		free(job);
		return -ENOMEM;
	}
	job->backend = backend;
	job->call = call;
	if (endpoint_get(backend, call->target, flow->options.user, &job->endpoint) < 0 ||
	    admission_enter(&backend->admission, flow, job) < 0) {
		job_free(job);
		return -ENOMEM;
	}
	call_reset(call);
	if (call->stream)
		stream_enter(call->stream, job, read_on);
	endpoint_enter(job->endpoint, call->target);
	job->endpoint->waiting++;
	job->state = JOB_WAITING;
	admission_queue(&backend->admission, job, /* first= */ false);
	hold_look(backend, flow);
	return 0;
}

static void leave_flight(struct job *job, bool connected)
{
	admission_ended(&job->backend->admission, job);
	descriptors_freed(&job->backend->descriptors);
	endpoint_ended(job->endpoint);
	outage_left(job);
	if (!connected)
		endpoint_not_connected(job->endpoint);
}

static void wait_again(struct job *job, bool first)
{
	job->state = JOB_WAITING;
	job->endpoint->waiting++;
	admission_queue(&job->backend->admission, job, first);
	hold_look(job->backend, job->lane->flow);
}

/* Out of the place it is in. */
static void take_out(struct job *job)
{
	switch (job->state) {
	case JOB_WAITING:
		job->endpoint->waiting--;
		admission_unqueue(&job->backend->admission, job);
		break;
	case JOB_BACKING_OFF:
		job->endpoint->waiting--;
		deadline_unset(&job->backend->ground.deadlines, &job->deadline);
		break;
	case JOB_IN_FLIGHT:
		leave_flight(job, transport_of(job)->abort(job));
		break;
	case JOB_TELLING:
		break;
	}
}

void job_start(struct job *job)
{
	job->state = JOB_IN_FLIGHT;
	job->endpoint->waiting--;
	job->n_issued++;
	job->started_usec = job->backend->ground.now_usec;
	if (job->call->stream)
		stream_restart(job->call->stream, job->call->attempts + 1);
	job->head = job->endpoint->resumed;
	job->endpoint->resumed = false;
	endpoint_issued(job);
	outage_issued(job);
	transport_of(job)->start(job);
}

/* What waits to be asked with the same config would fail the same way: it is not asked. */
static void fail_alike(struct job *failed)
{
	struct llm_call *call = failed->call;
	struct job *job, *next;

	for (job = TAILQ_FIRST(&failed->lane->flow->jobs); job; job = next) {
		next = TAILQ_NEXT(job, of_flow);
		if (job == failed || job->state == JOB_IN_FLIGHT || job->state == JOB_TELLING ||
		    job->call->target != call->target)
			continue;
		job->call->fault = call->fault;
		job->call->fault.first_message[0] = '\0';
		take_out(job);
		job_finish(job, LLM_CONFIG_FAILED);
	}
}

/* Whether the path names a version of the interface, as in /v1 or /v1beta. */
static bool names_version(const char *url, size_t size)
{
	for (size_t i = 0; i + 2 < size; i++)
		if (url[i] == '/' && url[i + 1] == 'v' && url[i + 2] >= '0' && url[i + 2] <= '9')
			return true;
	return false;
}

static const char *advice(const struct llm_call *call, const struct attempt *attempt, size_t size)
{
	const struct llm_target *target = call->target;
	const char *url = target_url_of(call)->text;
	static const char twice[] = "/chat/completions/chat/completions";

	if (attempt->code == ELLU_E_BACKEND_AUTHENTICATION)
		return target->key ? "" : " (the config has no api_key)";
	if (attempt->status >= 500)
		return "";
	if (size >= sizeof(twice) - 1 &&
	    memcmp(url + size - (sizeof(twice) - 1), twice, sizeof(twice) - 1) == 0)
		return " (leave /chat/completions out of llm_base_url)";
	if (!*target->dialect->path || target->dialect->version_path || names_version(url, size))
		return "";
	return " (most servers want /v1 at the end of llm_base_url)";
}

/* Nothing is there, or it is not for us, or it is broken: mostly the base URL or the key is wrong.
 * Says where that was; the URL's query may hold a key. */
static void fail_with_place(struct job *job, const struct attempt *attempt)
{
	const char *url = target_url_of(job->call)->text;
	size_t size = strcspn(url, "?");

	fault_set(&job->call->fault, attempt->code, "%d from %.*s: %s%s", attempt->status, (int)size, url,
		  attempt->message, advice(job->call, attempt, size));
}

/* The simulated endpoint is nowhere. */
static bool needs_place(const struct job *job, const struct attempt *attempt)
{
	if (!target_url_of(job->call)->text || attempt->status == 0)
		return false;
	return attempt->code == ELLU_E_BACKEND_AUTHENTICATION || attempt->status == 404 ||
	       attempt->status == 405 || attempt->status >= 500;
}

/* What the first attempt failed by often says more than the last one's. */
static void remember_first(struct job *job, const struct attempt *attempt)
{
	if (!job->first_message)
		job->first_message = strdup(attempt->message); // or nothing is said of it
}

static void say_first(struct job *job, const struct attempt *attempt)
{
	struct fault *fault = &job->call->fault;
	const char *first = job->first_message;

	fault->first_message[0] = '\0';
	if (!first || strcmp(first, attempt->message) == 0)
		return;
	snprintf(fault->first_message, sizeof(fault->first_message), "%.*s",
		 (int)utf8_cut(first, strlen(first), sizeof(fault->first_message) - 1), first);
}

static void fail(struct job *job, struct attempt *attempt, enum llm_outcome outcome)
{
	struct llm_call *call = job->call;

	if (attempt->code == ELLU_E_TOO_LARGE)
		fault_set(&call->fault, attempt->code, "%s", attempt->message);
	else if (needs_place(job, attempt))
		fail_with_place(job, attempt);
	else if (attempt->status == 0)
		fault_set(&call->fault, attempt->code, "%s: %s", job->endpoint->origin->name,
			  attempt->message);
	else
		fault_set(&call->fault, attempt->code, "%s", attempt->message);
	call->fault.status = attempt->status;
	call->fault.number = attempt->limit;
	say_first(job, attempt);
	if (outcome == LLM_CONFIG_FAILED)
		fail_alike(job);
	job_finish(job, outcome);
}

/* Half of its answer was told: with another one behind it, that would be neither. */
static bool fail_settled(struct job *job, struct attempt *attempt)
{
	char words[sizeof(attempt->message)];

	if (!llm_stream_is_bound(job->call->stream))
		return false;
	snprintf(words, sizeof(words), "%s", attempt->message);
	attempt_fail(attempt, ATTEMPT_ITEM, "the answer broke off: %s", words);
	attempt->code = ELLU_E_BACKEND_UNAVAILABLE;
	job->endpoint->errors++;
	fail(job, attempt, LLM_ITEM_FAILED);
	return true;
}

/* It is not to be issued again. */
static bool is_draining(const struct job *job)
{
	return job->drained || job->backend->draining;
}

static void on_backoff_over(struct deadline *deadline)
{
	struct job *job = container_of(deadline, struct job, deadline);

	job->endpoint->waiting--;
	wait_again(job, /* first= */ true);
}

static void back_off(struct job *job, const struct attempt *attempt)
{
	struct backend *backend = job->backend;
	struct llm_call *call = job->call;
	int64_t backoff_usec = retry_backoff_usec(call->attempts, random_fraction(&backend->ground.random));

	flow_notice(job, "%s: %s%s; attempt %lld of %d in %.1f s", job->endpoint->origin->name,
		    attempt->message, attempt->status >= 500 ? " (server error)" : "",
		    (long long)call->attempts + 1, call->target->max_retries + 1,
		    (double)backoff_usec / USEC_PER_SEC);
	job->state = JOB_BACKING_OFF;
	job->endpoint->waiting++;
	job->deadline.passed = on_backoff_over;
	deadline_set(&backend->ground.deadlines, &job->deadline, backend->ground.now_usec + backoff_usec);
	hold_look(backend, job->lane->flow);
}

/* As one does when it is down. */
static bool is_outage(const struct attempt *attempt)
{
	return attempt->class == ATTEMPT_RETRY && (attempt->status == 0 || attempt->status >= 500);
}

static void try_again(struct job *job, struct attempt *attempt)
{
	struct llm_call *call = job->call;
	struct endpoint *endpoint = job->endpoint;

	endpoint_failed(endpoint);
	if (is_outage(attempt) && outage_failed(job, attempt)) {
		call->attempts--;
		endpoint->waits++;
	}
	if (is_draining(job)) {
		job_finish(job, LLM_CANCELLED);
		return;
	}
	if (call->attempts > call->target->max_retries) {
		fail(job, attempt, job->lane->connected ? LLM_ITEM_FAILED : LLM_UNREACHABLE);
		return;
	}
	if (fail_settled(job, attempt))
		return;
	endpoint->retries++;
	/* Behind the others, so that another one is the next probe. */
	if (job->lane->answered && endpoint->breaker.state != BREAKER_CLOSED)
		wait_again(job, /* first= */ false);
	else
		back_off(job, attempt);
}

/* Whether it is refused, and others are not. */
static bool is_never_let_through(struct job *job, struct attempt *attempt)
{
	char words[sizeof(attempt->message)];

	if (!job->head || attempt->status != 429 ||
	    !heads_beyond_chance(&job->endpoint->heads, ++job->n_refused))
		return false;
	snprintf(words, sizeof(words), "%s", attempt->message);
	attempt_fail(attempt, ATTEMPT_ITEM, "refused %d times while others were answered: %s",
		     job->n_refused, words);
	return true;
}

static void wait_out(struct job *job, struct attempt *attempt)
{
	endpoint_wait(job->endpoint, job, attempt);
	if (is_draining(job)) {
		job_finish(job, LLM_CANCELLED);
		return;
	}
	if (llm_stream_is_bound(job->call->stream)) {
		job->call->attempts++;
		(void)fail_settled(job, attempt);
		return;
	}
	if (is_never_let_through(job, attempt)) {
		job->call->attempts++;
		job->endpoint->errors++;
		fail(job, attempt, LLM_ITEM_FAILED);
		return;
	}
	outage_notice(job, &job->endpoint->pause);
	/* One that was refused although it went first lets others try. */
	wait_again(job, /* first= */ !job->head);
}

/* Whether the refusal was about the form of the request, which is another one now. */
static bool change_form(struct job *job, const struct attempt *attempt)
{
	const struct dialect *dialect = job->call->target->dialect;

	if (job->n_forms >= FORMS_MAX || !dialect->change_form || job->call->embedding ||
	    llm_stream_is_bound(job->call->stream) ||
	    !dialect->change_form(job->call, attempt->hint, &job->form, &job->endpoint->form))
		return false;
	if (is_draining(job)) {
		job_finish(job, LLM_CANCELLED);
		return true;
	}
	job->n_forms++;
	buffer_clear(&job->body);
	flow_notice(job, "%s: %s; asked in another form", job->endpoint->origin->name,
		    attempt->message);
	wait_again(job, /* first= */ true);
	return true;
}

void job_attempted(struct job *job, struct attempt *attempt)
{
	struct llm_call *call = job->call;
	int64_t duration_usec = job->backend->ground.now_usec - job->started_usec;

	leave_flight(job, attempt->connected);
	endpoint_settled(job, attempt);
	if (!is_outage(attempt))
		outage_answered(job);
	if (job->head && attempt->status > 0)
		heads_note(&job->endpoint->heads, attempt->status == 429);
	if (attempt->class == ATTEMPT_WAIT) {
		remember_first(job, attempt);
		wait_out(job, attempt);
		return;
	}
	if (attempt->hint != HINT_NONE && change_form(job, attempt))
		return;
	if (attempt->odd_usage)
		flow_notice(job, "%s: an answer's usage holds no counts of tokens; what it took is "
			    "unknown", job->endpoint->origin->name);
	call->attempts++;
	switch (attempt->class) {
	case ATTEMPT_ANSWERED:
		call->duration_usec = duration_usec;
		endpoint_succeeded(job->endpoint, job, duration_usec);
		job_finish(job, LLM_ANSWERED);
		break;
	case ATTEMPT_RETRY:
	case ATTEMPT_WAIT:
		remember_first(job, attempt);
		try_again(job, attempt);
		break;
	case ATTEMPT_ITEM:
		job->endpoint->errors++;
		fail(job, attempt, LLM_ITEM_FAILED);
		break;
	case ATTEMPT_CONFIG:
		job->endpoint->errors++;
		fail(job, attempt, LLM_CONFIG_FAILED);
		break;
	}
}

void job_cancel(struct job *job)
{
	bool answered = job->state == JOB_TELLING;

	take_out(job);
	job_end(job, answered ? LLM_ANSWERED : LLM_CANCELLED);
}

void job_short_of_descriptors(struct job *job)
{
	leave_flight(job, /* connected= */ false);
	flow_notice(job, "the daemon has too few file descriptors: calls wait for each other");
	descriptors_short(&job->backend->descriptors);
	if (is_draining(job))
		job_finish(job, LLM_CANCELLED);
	else
		wait_again(job, /* first= */ true);
}

void job_put_back(struct job *job)
{
	struct attempt attempt = { .wait_usec = -1 };

	take_out(job);
	attempt_fail(&attempt, ATTEMPT_RETRY, "its connection had to be closed");
	if (!fail_settled(job, &attempt))
		wait_again(job, /* first= */ true);
}
