/*
 * What can go wrong, and what to do about it.
 *
 *	errors
 */
#include <elluminate.h>
#include <errno.h>
#include <stdio.h>

#include "sample.h"

/* An error says more than its code: which field, or which resource, and when to try again. */
static void describe(const char *what, int code, const struct ellu_error *error)
{
	printf("%s: ", what);
	if (!error) {
		/* The answer could not be had, or there was no memory for the error. */
		printf("%s\n", ellu_strerror(code));
		return;
	}
	printf("%s: %s\n", error->code, error->message);
	if (error->field)
		printf("  field %s\n", error->field);
	if (error->resource_type && error->id)
		printf("  %s %lld\n", error->resource_type, (long long) *error->id);
	if (error->retry_after_seconds)
		printf("  again in %.1f seconds\n", *error->retry_after_seconds);
	ellu_free(error);
}

static void open_nothing(void)
{
	struct ellu *daemon;
	int r = ellu_open("/nowhere/socket", ELLU_BLOCKING, &daemon);

	/* Nothing was sent, and nothing need be closed. */
	if (r == -ENOENT || r == -ECONNREFUSED)
		describe("no daemon", r, NULL);
	else if (r >= 0)
		ellu_close(daemon);
}

static void ask_for_what_is_not_there(struct ellu *daemon)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
	const struct ellu_get_task_reply *reply;
	const struct ellu_error *error;
	int r;

	request.id = 4711;
	r = ellu_get_task(daemon, &request, &reply, &error);
	if (r == ELLU_E_NOT_FOUND)
		describe("no such task", r, error);
	else if (r < 0)
		describe("unexpected", r, error);
	else
		ellu_free(reply);
}

static void ask_for_nonsense(struct ellu *daemon)
{
	const struct ellu_run_experiment_reply *reply;
	const struct ellu_error *error;
	struct sample sample;
	int r;

	sample_init(&sample, "Nonsense", NULL, 1);
	sample.request.n_epochs = 1001;
	r = ellu_run_experiment(daemon, &sample.request, &reply, &error);
	if (r < 0)
		describe("a defect of this program", r, error);
	else
		ellu_free(reply);
}

/* The call went well, the task did not. */
static void run_on_a_dead_endpoint(struct ellu *daemon)
{
	const struct ellu_run_experiment_reply *reply;
	const struct ellu_error *error;
	const int64_t no_retries = 0;
	struct sample sample;
	int r;

	sample_init(&sample, "Dead endpoint", "http://127.0.0.1:9/v1", 1);
	sample.model.name = "Dead model";
	sample.model.max_retries = &no_retries;
	/* The daemon does a thing with a key only once, so that the call may be repeated. */
	sample.request.idempotency_key = "dead-endpoint-1";
	r = ellu_run_experiment(daemon, &sample.request, &reply, &error);
	if (r < 0 && ellu_may_have_happened(r)) {
		ellu_free(error);
		r = ellu_run_experiment(daemon, &sample.request, &reply, &error);
	}
	if (r < 0) {
		describe("unexpected", r, error);
		return;
	}
	if (ellu_task_is_failure(reply->task) && reply->task->error)
		printf("%s of a task: %s: %s\n", reply->task->status, reply->task->error->code,
		       reply->task->error->message);
	ellu_free(reply);
}

static void use_the_wrong_form(struct ellu *daemon)
{
	struct ellu_get_status_request request = ELLU_RECORD(struct ellu_get_status_request);

	/* Refused before anything is sent: the handle was opened for blocking use. */
	describe("the other mode", ellu_get_status_async(daemon, &request, NULL, NULL, NULL), NULL);
}

int main(void)
{
	struct ellu *daemon;

	open_nothing();
	daemon = sample_open(ELLU_BLOCKING);
	if (!daemon)
		return 1;
	ask_for_what_is_not_there(daemon);
	ask_for_nonsense(daemon);
	run_on_a_dead_endpoint(daemon);
	use_the_wrong_form(daemon);
	ellu_close(daemon);
	return 0;
}
