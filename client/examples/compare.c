/*
 * Three experiments at once, and their comparison: which wording of a prompt does best?
 *
 *	compare [URL]
 */
#include <elluminate.h>
#include <stdio.h>

#include "sample.h"

#define N_WORDINGS 3
#define TIMEOUT_SECONDS 600.0

static const char *const wordings[N_WORDINGS] = {
	"Write a haiku about {{topic}}.",
	"You are a poet of few words. Your topic is {{topic}}. Write a haiku.",
	"haiku, {{topic}}",
};

static int start(struct ellu *daemon, size_t index, const char *url, struct ellu_op **ret_op)
{
	struct sample sample;
	char name[32];

	snprintf(name, sizeof(name), "Wording %zu", index + 1);
	sample_init(&sample, name, url, 5);
	sample.prompt.name = name;
	sample.message.content = wordings[index];
	return ellu_run_experiment_async(daemon, &sample.request, NULL, NULL, ret_op);
}

/* Whether there is something to compare. */
static int print_row(size_t index, const struct ellu_op *op)
{
	const struct ellu_run_experiment_reply *reply;
	const struct ellu_error *error;
	int r = ellu_run_experiment_result(op, &reply, &error), good = 0;

	if (r < 0) {
		printf("%zu      -  %s\n", index + 1, error ? error->message : ellu_strerror(r));
	} else if (!ellu_task_is_success(reply->task)) {
		printf("%zu      -  %s\n", index + 1, reply->task->status);
	} else {
		printf("%zu  %3.0f %%  %s\n", index + 1, sample_success_rate(reply->task),
		       wordings[index]);
		good = 1;
	}
	ellu_free(reply);
	ellu_free(error);
	return good;
}

int main(int argc, char **argv)
{
	struct ellu_op *ops[N_WORDINGS] = { NULL };
	struct ellu *daemon = sample_open(ELLU_EVENT);
	int r = 0, good = 1;

	if (!daemon)
		return 1;
	for (size_t i = 0; i < N_WORDINGS && r >= 0; i++)
		r = start(daemon, i, argc > 1 ? argv[1] : NULL, &ops[i]);
	/* All three run in the daemon at the same time. */
	if (r >= 0)
		r = ellu_op_wait_all(ops, N_WORDINGS, TIMEOUT_SECONDS);
	if (r == 1) {
		printf("#   rate  prompt\n");
		for (size_t i = 0; i < N_WORDINGS; i++)
			good &= print_row(i, ops[i]);
	} else {
		fprintf(stderr, "%s\n", r < 0 ? ellu_strerror(r) : "it takes too long");
		good = 0;
	}
	for (size_t i = 0; i < N_WORDINGS; i++)
		ellu_op_free(ops[i]);
	ellu_close(daemon);
	return good ? 0 : 1;
}
