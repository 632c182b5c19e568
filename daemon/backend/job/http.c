/*
 * The transport of what is reached over HTTP. An attempt goes out at once, or where the key is
 * exchanged for tokens, as soon as there is one: what waits shares what becomes of the exchange.
 */
#include "daemon/backend/connection/bearer.h"
#include "daemon/backend/job/job.h"
#include "daemon/backend/job/transfer.h"
#include "daemon/backend/transport.h"

static void fail_for_memory(struct job *job)
{
	struct attempt attempt = { .wait_usec = -1 };

	attempt_fail(&attempt, ATTEMPT_RETRY, "out of memory");
	job_attempted(job, &attempt);
}

static void send_with(const struct bearer *bearer, struct job *job)
{
	job->bearer_number = bearer->number;
	if (bearer_hand_over(bearer, job->call->target))
		transfer_start(job);
	else
		fail_for_memory(job);
}

/* What waits goes on, whenever the token ends: nobody had it earlier. */
static void on_asked(struct bearer *bearer, const struct attempt *failed)
{
	struct job *job;

	while ((job = TAILQ_FIRST(&bearer->jobs))) {
		TAILQ_REMOVE(&bearer->jobs, job, of_lane);
		if (failed && bearer->no_descriptors) {
			job_short_of_descriptors(job);
		} else if (failed) {
			struct attempt attempt = *failed;

			job_attempted(job, &attempt);
		} else {
			send_with(bearer, job);
		}
	}
}

static void start(struct job *job)
{
	struct bearer *bearer;

	if (!job->call->target->account) {
		transfer_start(job);
		return;
	}
	bearer = job->endpoint->bearer;
	if (!bearer)
		bearer = job->endpoint->bearer =
			bearer_new(&job->backend->bearers, job->endpoint->target, on_asked);
	if (!bearer) {
		fail_for_memory(job);
	} else if (bearer_is_good(bearer)) {
		send_with(bearer, job);
	} else {
		TAILQ_INSERT_TAIL(&bearer->jobs, job, of_lane);
		bearer_renew(bearer);
	}
}

static bool abort_attempt(struct job *job)
{
	if (job->transfer)
		return transfer_abort(job->transfer);
	TAILQ_REMOVE(&job->endpoint->bearer->jobs, job, of_lane);
	return false;
}

const struct transport transport_http = {
	.connects = true,
	.start = start,
	.abort = abort_attempt,
};
