/*
 * Two prompts over the same cases, judged by the same criteria, and put side by side.
 *
 *	ab_test [URL]
 */
#include <elluminate.h>
#include <stdio.h>

#include "sample.h"

static const char *const prompts[2] = {
	"Write a haiku about {{topic}}.",
	"You are a poet of few words. Your topic is {{topic}}. Write a haiku.",
};

/* The id of the experiment, or -1. */
static int64_t run(struct ellu *daemon, const char *name, const char *prompt, const char *url)
{
	const struct ellu_run_experiment_reply *reply;
	const struct ellu_error *error;
	struct sample sample;
	int64_t id = -1;
	int r;

	sample_init(&sample, name, url, 5);
	sample.prompt.name = name;
	sample.message.content = prompt;
	r = ellu_run_experiment(daemon, &sample.request, &reply, &error);
	if (r < 0) {
		fprintf(stderr, "%s: %s\n", name, error ? error->message : ellu_strerror(r));
		ellu_free(error);
		return -1;
	}
	if (ellu_task_is_success(reply->task) && reply->task->experiment_id)
		id = *reply->task->experiment_id;
	else
		fprintf(stderr, "%s: %s\n", name, reply->task->status);
	ellu_free(reply);
	return id;
}

static void print_rates(const char *what, const struct ellu_compared_rate *const *rates, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rates[i]->yes && rates[i]->yes->value)
			printf("%5.1f %%  ", *rates[i]->yes->value * 100);
		else
			printf("      -  ");
	if (n == 2 && rates[1]->difference)
		printf("%+6.1f  ", *rates[1]->difference * 100);
	puts(what);
}

static int compare(struct ellu *daemon, const int64_t ids[2])
{
	struct ellu_compare_experiments_request request =
		ELLU_RECORD(struct ellu_compare_experiments_request);
	struct ellu_ref a = ELLU_RECORD(struct ellu_ref), b = ELLU_RECORD(struct ellu_ref);
	const struct ellu_ref *const both[2] = { &a, &b };
	const struct ellu_compare_experiments_reply *reply;
	const struct ellu_error *error;
	int r;

	a.id = &ids[0];
	b.id = &ids[1];
	request.experiments = both;
	request.n_experiments = 2;
	r = ellu_compare_experiments(daemon, &request, &reply, &error);
	if (r < 0) {
		fprintf(stderr, "%s\n", error ? error->message : ellu_strerror(r));
		ellu_free(error);
		return 1;
	}
	puts("      A        B   B - A");
	for (size_t i = 0; i < reply->n_criteria; i++)
		print_rates(reply->criteria[i]->criterion, reply->criteria[i]->rates,
			    reply->criteria[i]->n_rates);
	print_rates("all of them", reply->success_rate, reply->n_success_rate);
	ellu_free(reply);
	return 0;
}

int main(int argc, char **argv)
{
	const char *url = argc > 1 ? argv[1] : NULL;
	struct ellu *daemon = sample_open(ELLU_BLOCKING);
	int64_t ids[2];
	int status = 1;

	if (!daemon)
		return 1;
	ids[0] = run(daemon, "Prompt A", prompts[0], url);
	ids[1] = ids[0] < 0 ? -1 : run(daemon, "Prompt B", prompts[1], url);
	if (ids[1] >= 0)
		status = compare(daemon, ids);
	ellu_close(daemon);
	return status;
}
