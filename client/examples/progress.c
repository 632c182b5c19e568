/*
 * A live progress bar from a stream, and what to do at each end that a task can have.
 *
 *	progress [URL [SECONDS]]	SECONDS: the task's time limit
 */
#include <elluminate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sample.h"

#define BAR_WIDTH 40

static void draw(const struct ellu_task_event *event)
{
	double percent = ellu_event_percent(event);
	int filled = percent > 0 ? (int) (percent / 100 * BAR_WIDTH) : 0;

	/* A log line takes the place of the bar, which is drawn again below it. */
	if (*ellu_event_logs_delta(event))
		printf("\r\033[K%s", ellu_event_logs_delta(event));
	printf("\r%s [%-*.*s] %3.0f %%", event->status, BAR_WIDTH, filled,
	       "########################################", percent > 0 ? percent : 0);
	fflush(stdout);
}

static void explain(const struct ellu_task_event *event)
{
	if (event->error)
		printf("  %s: %s\n", event->error->code, event->error->message);
}

/* The exit status for the state that the task ended in. */
static int conclude(const struct ellu_task_event *event)
{
	const struct ellu_task_result *result = ellu_event_result(event);

	printf("\ntask %lld is %s\n", (long long) event->task_id, event->status);
	if (strcmp(event->status, "SUCCESS") == 0) {
		if (result && result->results && result->results->success_rate->value)
			printf("success rate %.0f %%\n", *result->results->success_rate->value * 100);
		return 0;
	}
	explain(event);
	if (strcmp(event->status, "FAILURE") == 0) {
		/* The endpoint's doing, mostly. What was recorded stays: RetryTask goes on. */
		return 10;
	}
	if (strcmp(event->status, "TIMEOUT") == 0) {
		/* It may go on with a longer time_limit_seconds. */
		return 11;
	}
	if (strcmp(event->status, "REVOKED") == 0) {
		/* Somebody cancelled it. */
		return 12;
	}
	/* REJECTED: the request made no sense in the end; repeating it is of no use. */
	return 13;
}

int main(int argc, char **argv)
{
	struct ellu_generation_params params = ELLU_RECORD(struct ellu_generation_params);
	const struct ellu_run_experiment_reply *reply;
	const struct ellu_error *error = NULL;
	const int64_t at_a_time = 2;
	struct ellu_stream *stream;
	struct sample sample;
	struct ellu *daemon = sample_open(ELLU_BLOCKING);
	int r, exit_status = -1;

	if (!daemon)
		return 1;
	sample_init(&sample, "Progress", argc > 1 && *argv[1] ? argv[1] : NULL, 8);
	params.max_connections = &at_a_time; /* slowly, so that there is something to see */
	sample.request.generation_params = &params;
	sample.request.min_interval_seconds = 0.1;
	if (argc > 2) {
		sample.request.time_limit_seconds = atof(argv[2]);
	}
	r = ellu_run_experiment_stream(daemon, &sample.request, &stream, NULL);
	if (r < 0) {
		ellu_close(daemon);
		return sample_complain(r, NULL);
	}
	/* 1: a reply; 0: the end; negative: it was lost for good. A daemon that is restarted
	 * meanwhile is waited for, and the stream goes on where it was. */
	while ((r = ellu_run_experiment_next(stream, &reply, &error)) > 0) {
		if (reply->event) {
			draw(reply->event);
			if (ellu_event_is_complete(reply->event))
				exit_status = conclude(reply->event);
		}
		ellu_free(reply);
	}
	if (r < 0)
		exit_status = sample_complain(r, error);
	ellu_stream_close(stream);
	ellu_close(daemon);
	return exit_status >= 0 ? exit_status : 1;
}
