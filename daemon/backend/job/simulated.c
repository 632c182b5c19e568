/*
 * The transport of the built-in provider `simulated`: answers that follow from the messages and the
 * seed alone, after a settable latency and with settable faults, and without any I/O. Its calls go
 * through admission, retries and waits like those of an endpoint.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/core.h"
#include "daemon/backend/dialect/simulated_text.h"
#include "daemon/backend/job/job.h"
#include "daemon/backend/transport.h"
#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/base/hash.h"

#define ANSWERS_PER_RUN 64
#define WAIT_USEC (50 * USEC_PER_MSEC)

static void add_due(struct job *job)
{
	job->due = true;
	TAILQ_INSERT_TAIL(&job->backend->simulated_due, job, of_lane);
}

static void remove_due(struct job *job)
{
	job->due = false;
	TAILQ_REMOVE(&job->backend->simulated_due, job, of_lane);
}

static void on_latency_over(struct deadline *deadline)
{
	add_due(container_of(deadline, struct job, deadline));
}

static void start(struct job *job)
{
	int64_t latency_usec = job->call->target->simulated.latency_usec;

	job->lane->connected = true;
	if (latency_usec == 0) {
		add_due(job);
		return;
	}
	job->deadline.passed = on_latency_over;
	deadline_set(&job->backend->ground.deadlines, &job->deadline,
		     job->backend->ground.now_usec + latency_usec);
}

static bool abort_attempt(struct job *job)
{
	deadline_unset(&job->backend->ground.deadlines, &job->deadline);
	if (job->due)
		remove_due(job);
	return true;
}

const struct transport transport_simulated = {
	.start = start,
	.abort = abort_attempt,
};

/* Which attempts fail follows from the call and its attempt's number. */
static bool make_fault(const struct job *job, struct attempt *attempt)
{
	const struct simulated_settings *simulated = &job->call->target->simulated;
	const char *key = job->call->idempotency_key;
	uint64_t state = hash_bytes((uint64_t)simulated->seed + job->n_issued, key,
					strlen(key));

	if (random_fraction(&state) < simulated->rate_limit_rate) {
		attempt_fail(attempt, ATTEMPT_WAIT, "simulated rate limit");
		attempt->status = 429;
		attempt->wait_usec = WAIT_USEC;
		return true;
	}
	if (random_fraction(&state) < simulated->error_rate) {
		attempt_fail(attempt, ATTEMPT_RETRY, "simulated error");
		attempt->status = 500;
		return true;
	}
	return false;
}

/* What the messages say; of what is no text, that it is there. */
static const char **contents_of(struct llm_call *call, size_t *ret_n)
{
	const char *system_message = call->system_message ? call->system_message :
							    call->target->system_message;
	size_t n = 0, room = 1;
	const char **contents;

	for (size_t i = 0; i < call->n_messages; i++)
		room += 1 + call->messages[i]->n_parts;
	contents = arena_array(&call->arena, room, sizeof(*contents));
	if (!contents)
		return NULL;
	if (system_message && !call->plain)
		contents[n++] = system_message;
	for (size_t i = 0; i < call->n_messages; i++) {
		const struct ellu_message *message = call->messages[i];

		if (message->content)
			contents[n++] = message->content;
		for (size_t k = 0; k < message->n_parts; k++) {
			const struct ellu_message_part *part = message->parts[k];

			contents[n++] = part->text ? part->text : part->image ? "image" : "document";
		}
	}
	*ret_n = n;
	return contents;
}

static void take_cost(struct llm_call *call)
{
	call->cost_nanodollars = target_cost(call->target, call->batched, &(struct token_counts){
		.input = call->input_tokens, .output = call->output_tokens });
}

static void answer_texts(struct llm_call *call, struct attempt *attempt)
{
	const struct llm_embedding *embedding = call->embedding;
	const size_t n = embedding->dimensions ? (size_t)*embedding->dimensions : SIMULATED_DIMENSIONS;
	double *vectors = arena_array(&call->arena, embedding->n_texts * n, sizeof(*vectors));

	if (!vectors) {
		attempt_fail(attempt, ATTEMPT_RETRY, "out of memory");
		return;
	}
	call->input_tokens = call->output_tokens = 0;
	for (size_t i = 0; i < embedding->n_texts; i++) {
		simulated_vector(embedding->texts[i], call->target->simulated.seed, vectors + i * n, n);
		call->input_tokens += simulated_tokens(embedding->texts[i]);
	}
	for (size_t i = 0; i < embedding->n_texts * n; i++)
		vectors[i] = answer_rounded(vectors[i]);
	call->vectors = vectors;
	call->n_dimensions = n;
	take_cost(call);
	attempt->class = ATTEMPT_ANSWERED;
}

static void answer(struct job *job, struct attempt *attempt)
{
	struct llm_call *call = job->call;
	const struct simulated_settings *simulated = &call->target->simulated;
	const char **contents;
	char *text = NULL;
	size_t n = 0;

	contents = contents_of(call, &n);
	if (contents && simulated_answer(contents, n, simulated->seed, simulated->bad_verdict_rate,
					 &text, &call->input_tokens, &call->output_tokens) >= 0)
		call->text = arena_strdup(&call->arena, text);
	free(text);
	if (!call->text) {
		attempt_fail(attempt, ATTEMPT_RETRY, "out of memory");
		return;
	}
	call->finish_reason = "stop";
	take_cost(call);
	attempt->class = ATTEMPT_ANSWERED;
}

void simulated_run(struct backend *backend)
{
	struct job *job;

	for (unsigned n = 0; n < ANSWERS_PER_RUN; n++) {
		struct attempt attempt = { .connected = true, .wait_usec = -1 };

		job = TAILQ_FIRST(&backend->simulated_due);
		if (!job)
			return;
		remove_due(job);
		if (!make_fault(job, &attempt)) {
			if (job->call->embedding)
				answer_texts(job->call, &attempt);
			else
				answer(job, &attempt);
		}
		job_attempted(job, &attempt);
	}
}
