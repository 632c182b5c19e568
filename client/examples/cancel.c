/*
 * Ctrl-C cancels the task: no further call is issued, what was recorded stays, and the program
 * leaves when the task is REVOKED.
 *
 *	cancel [URL]
 */
#include <elluminate.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "sample.h"

/* How late a Ctrl-C is noticed that comes just before the wait. */
#define WAIT_SECONDS 0.25

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int signal_number)
{
	(void) signal_number;
	is_interrupted = 1;
}

/* Waits for the next reply: 1 when it is there, 0 when Ctrl-C came first. */
static int await(struct ellu_stream *stream)
{
	int r;

	do {
		if (is_interrupted)
			return 0;
		r = ellu_stream_wait(stream, WAIT_SECONDS);
	} while (r == 0 || r == -EINTR);
	return r;
}

static int cancel(struct ellu_stream *stream)
{
	const struct ellu_error *error;
	int r;

	is_interrupted = 0;
	/* Answers once the task is REVOKED, or had ended before. */
	r = ellu_stream_cancel_task(stream, &error);
	if (r < 0)
		return sample_complain(r, error);
	printf("cancelled\n");
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_interrupt };
	const struct ellu_run_experiment_reply *reply;
	const struct ellu_error *error = NULL;
	struct ellu_stream *stream;
	struct sample sample;
	struct ellu *daemon = sample_open(ELLU_BLOCKING);
	int r, exit_status = 0;

	if (!daemon)
		return 1;
	sigaction(SIGINT, &action, NULL);
	sample_init(&sample, "Cancelled", argc > 1 ? argv[1] : NULL, 8);
	if (argc <= 1)
		sample.model.custom = "{\"latency_seconds\": 2}"; /* time for Ctrl-C */
	r = ellu_run_experiment_stream(daemon, &sample.request, &stream, NULL);
	if (r < 0) {
		ellu_close(daemon);
		return sample_complain(r, NULL);
	}
	for (;;) {
		/* Before the first reply nobody knows which task it is. Cancelled or not, the stream
		 * goes on to the task's end. */
		if (await(stream) == 0 && ellu_stream_task_id(stream) > 0)
			exit_status = cancel(stream);
		r = ellu_run_experiment_next(stream, &reply, &error);
		if (r <= 0)
			break;
		if (reply->event) {
			printf("task %lld is %s\n", (long long) reply->event->task_id,
			       reply->event->status);
			fflush(stdout);
			if (ellu_event_is_failure(reply->event))
				exit_status = 12;
		}
		ellu_free(reply);
	}
	if (r < 0)
		exit_status = sample_complain(r, error);
	ellu_stream_close(stream);
	ellu_close(daemon);
	return exit_status;
}
