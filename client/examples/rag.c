/*
 * Answers that were made elsewhere, by a search and a model of one's own, and are judged here: each
 * row has the question and what was found for it, and no model is asked for the answers. How faithful they
 * are to what was found is a score from 0 to 1, by an evaluator that is built in.
 *
 *	rag
 */
#include <elluminate.h>
#include <stdio.h>

#include "sample.h"

#define N 3

static const char *const rows[N] = {
	"{\"question\": \"When does the shop open?\", \"found\": \"Open from 9 to 17.\"}",
	"{\"question\": \"Is there parking?\", \"found\": \"Trams 3 and 5 stop in front.\"}",
	"{\"question\": \"Who owns it?\", \"found\": \"Run by the Kim family since 1990.\"}",
};
static const char *const answers[N] = { "At nine.", "Yes, behind the house.", "The Kim family." };
static const char *const criteria[] = {
	"Does it answer the question '{{question}}'?",
	"Is all of it supported by this text: {{found}}?",
};

/* What the evaluator reads, of each row. */
static const char inputs[] = "{\"contexts\": \"{{found}}\"}";

static int make(struct ellu *daemon, const struct ellu_ref *experiment)
{
	struct ellu_create_experiment_request request =
		ELLU_RECORD(struct ellu_create_experiment_request);
	struct ellu_collection collection = ELLU_RECORD(struct ellu_collection);
	struct ellu_collection_in in = ELLU_RECORD(struct ellu_collection_in);
	struct ellu_evaluator_use use = ELLU_RECORD(struct ellu_evaluator_use);
	struct ellu_ref faithfulness = ELLU_RECORD(struct ellu_ref);
	const struct ellu_evaluator_use *uses[] = { &use };
	const struct ellu_create_experiment_reply *reply;
	const struct ellu_error *error;
	int r;

	collection.name = "Questions and what was found";
	collection.variables = rows;
	collection.n_variables = N;
	in.content = &collection;
	request.name = experiment->name;
	request.collection = &in;
	request.criteria = criteria;
	request.n_criteria = 2;
	faithfulness.name = "Faithfulness";
	use.evaluator = &faithfulness;
	use.variables = inputs;
	request.evaluators = uses;
	request.n_evaluators = 1;
	r = ellu_create_experiment(daemon, &request, &reply, &error);
	if (r < 0)
		return sample_complain(r, error);
	ellu_free(reply);
	return 0;
}

static int add_answers(struct ellu *daemon, const struct ellu_ref *experiment)
{
	struct ellu_add_responses_request request = ELLU_RECORD(struct ellu_add_responses_request);
	const struct ellu_made_response *responses[N];
	const struct ellu_add_responses_reply *reply;
	const struct ellu_error *error;
	struct ellu_made_response made[N];
	int64_t numbers[N];
	int r;

	for (int i = 0; i < N; i++) {
		numbers[i] = i + 1;
		made[i] = ELLU_RECORD(struct ellu_made_response);
		made[i].row = &numbers[i];
		made[i].response_text = answers[i];
		responses[i] = &made[i];
	}
	request.experiment = experiment;
	request.responses = responses;
	request.n_responses = N;
	r = ellu_add_responses(daemon, &request, &reply, &error);
	if (r < 0)
		return sample_complain(r, error);
	printf("%lld answers added\n", (long long) reply->added);
	ellu_free(reply);
	return 0;
}

static void print_scores(const struct ellu_experiment_results *results)
{
	for (size_t i = 0; results && i < results->n_evaluators; i++) {
		const struct ellu_evaluator_scores *scores = results->evaluators[i];

		if (scores->mean) /* NULL: no answer could be scored, which is no 0 */
			printf("%.2f  %s, of %lld of %lld answers\n", *scores->mean, scores->evaluator->name,
			       (long long) scores->n_scored, (long long) scores->n_total);
	}
}

static int rate(struct ellu *daemon, const struct ellu_ref *experiment)
{
	struct ellu_run_experiment_request request = ELLU_RECORD(struct ellu_run_experiment_request);
	const struct ellu_run_experiment_reply *reply;
	const struct ellu_error *error;
	int r;

	request.experiment = experiment;
	r = ellu_run_experiment(daemon, &request, &reply, &error);
	if (r < 0)
		return sample_complain(r, error);
	printf("%s: %.0f %% meet both criteria\n", reply->task->status,
	       sample_success_rate(reply->task));
	print_scores(reply->task->result ? reply->task->result->results : NULL);
	ellu_free(reply);
	return 0;
}

int main(void)
{
	struct ellu *daemon = sample_open(ELLU_BLOCKING);
	struct ellu_ref experiment = ELLU_RECORD(struct ellu_ref);
	int exit_status;

	if (!daemon)
		return 1;
	experiment.name = "Answers of the shop's assistant";
	exit_status = make(daemon, &experiment);
	if (exit_status == 0)
		exit_status = add_answers(daemon, &experiment);
	if (exit_status == 0)
		exit_status = rate(daemon, &experiment);
	ellu_close(daemon);
	return exit_status;
}
