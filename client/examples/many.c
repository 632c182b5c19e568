/*
 * Twenty experiments, at most five of them at a time.
 *
 *	many [URL]
 */
#include <elluminate.h>
#include <stdio.h>

#include "sample.h"

#define N_EXPERIMENTS 20
#define AT_A_TIME 5
#define TIMEOUT_SECONDS 600.0

struct course {
	const char *url;
	int running;
	int most_running; /* what the limit is about */
};

static void on_end(struct ellu_op *op, int result, const struct ellu_run_experiment_reply *reply,
		   const struct ellu_error *error, void *userdata)
{
	struct course *course = userdata;

	(void) op;
	(void) result;
	(void) reply;
	(void) error;
	course->running--;
}

/* Starts the one that comes next; called whenever there is room for it. */
static int start(struct ellu *daemon, size_t index, struct ellu_op **ret_op, void *userdata)
{
	struct course *course = userdata;
	struct sample sample;
	char name[32];
	int r;

	snprintf(name, sizeof(name), "One of many, %zu", index + 1);
	sample_init(&sample, name, course->url, 2);
	r = ellu_run_experiment_async(daemon, &sample.request, on_end, course, ret_op);
	if (r >= 0 && ++course->running > course->most_running)
		course->most_running = course->running;
	return r;
}

int main(int argc, char **argv)
{
	struct course course = { argc > 1 ? argv[1] : NULL, 0, 0 };
	struct ellu_op *ops[N_EXPERIMENTS] = { NULL };
	struct ellu *daemon = sample_open(ELLU_EVENT);
	const struct ellu_run_experiment_reply *reply;
	int r, n_good = 0;

	if (!daemon)
		return 1;
	r = ellu_gather(daemon, N_EXPERIMENTS, AT_A_TIME, start, &course, TIMEOUT_SECONDS, ops);
	if (r < 0)
		fprintf(stderr, "%s\n", ellu_strerror(r));
	if (r == 0)
		fprintf(stderr, "it takes too long\n");

	/* The operations are there in any case, in the order of their index. */
	for (size_t i = 0; i < N_EXPERIMENTS; i++) {
		if (ops[i] && ellu_run_experiment_result(ops[i], &reply, NULL) == 0) {
			printf("%2zu  %s  %.0f %%\n", i + 1, reply->task->status,
			       sample_success_rate(reply->task));
			n_good += ellu_task_is_success(reply->task);
			ellu_free(reply);
		}
		ellu_op_free(ops[i]);
	}
	printf("%d of %d succeeded, at most %d at a time\n", n_good, N_EXPERIMENTS,
	       course.most_running);
	ellu_close(daemon);
	return n_good == N_EXPERIMENTS ? 0 : 1;
}
