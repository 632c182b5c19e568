/*
 * One experiment, asynchronous: the call returns at once, and a callback gets the answer. The loop
 * is the least that a loop can be; for those of libevent, sd-event and GLib there are adapters.
 *
 *	experiment_async [URL]
 */
#include <elluminate.h>
#include <poll.h>
#include <stdio.h>

#include "sample.h"

struct outcome {
	int is_known;
	int exit_status;
};

/* `reply` and `error` belong to the library; they are valid until this returns. */
static void on_end(struct ellu_op *op, int result, const struct ellu_run_experiment_reply *answer,
		   const struct ellu_error *error, void *userdata)
{
	struct outcome *outcome = userdata;

	(void) op;
	outcome->is_known = 1;
	if (result < 0) {
		outcome->exit_status = sample_complain(result, ellu_keep(error));
		return;
	}
	printf("task %lld is %s\n", (long long) answer->task->id, answer->task->status);
	printf("success rate %.0f %%\n", sample_success_rate(answer->task));
	outcome->exit_status = ellu_task_is_success(answer->task) ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct outcome outcome = { 0, 0 };
	struct sample sample;
	struct ellu *daemon = sample_open(ELLU_EVENT);
	int r;

	if (!daemon)
		return 1;
	/* The request is read during this call, and may go away after it. Without a place for the
	 * operation, the library frees it after its callback. */
	sample_init(&sample, "Asynchronous", argc > 1 ? argv[1] : NULL, 3);
	r = ellu_run_experiment_async(daemon, &sample.request, on_end, &outcome, NULL);
	if (r < 0) {
		ellu_close(daemon);
		return sample_complain(r, NULL);
	}
	printf("submitted; this program is free to do other things\n");

	while (!outcome.is_known) {
		/* The descriptor becomes ready when ellu_timeout() is reached, too. */
		struct pollfd ready = { ellu_fd(daemon), (short) ellu_events(daemon), 0 };

		if (poll(&ready, 1, -1) > 0)
			ellu_process(daemon);
	}
	ellu_close(daemon);
	return outcome.exit_status;
}
