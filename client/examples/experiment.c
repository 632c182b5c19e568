/*
 * One experiment, blocking: a prompt over three cases, each answer judged by two questions.
 *
 *	experiment [URL]	an endpoint of the OpenAI dialect; without one, the simulated model
 */
#include <elluminate.h>
#include <stdio.h>

static void print_results(const struct ellu_experiment_results *results)
{
	for (size_t i = 0; i < results->n_criteria; i++) {
		const struct ellu_criterion_result *result = results->criteria[i];

		/* NULL: no answer could be judged. */
		if (result->yes->value)
			printf("%3.0f %%  %s\n", *result->yes->value * 100, result->criterion);
	}
	if (results->success_rate->value)
		printf("success rate %.0f %%%s\n", *results->success_rate->value * 100,
		       results->simulated ? " (simulated)" : "");
}

int main(int argc, char **argv)
{
	const struct ellu_run_experiment_request *request = ELLU_NEW(
		run_experiment_request, .name = "Haiku",
		.prompt_template = ELLU_NEW(template_in, .content = ELLU_NEW(
			prompt_template, .name = "Haiku",
			ELLU_RECORDS(messages, message, ELLU_NEW(message, .role = "user",
				.content = "Write a haiku about {{topic}}.")))),
		.collection = ELLU_NEW(collection_in, .content = ELLU_NEW(
			collection, .name = "Topics",
			ELLU_TEXTS(variables, "{\"topic\": \"coffee\"}", "{\"topic\": \"rain\"}",
				   "{\"topic\": \"tea\"}"))),
		ELLU_TEXTS(criteria, "Is it a haiku of three lines?", "Is it about {{topic}}?"),
		.llm_config = ELLU_NEW(llm_config_in, .content = ELLU_NEW(
			llm_config, .name = "Example model", .llm_model_name = "example",
			.provider = argc > 1 ? "openai" : "simulated",
			.llm_base_url = argc > 1 ? argv[1] : NULL)),
		.update_existing = ELLU_TRUE); /* what has these names follows this request */
	const struct ellu_run_experiment_reply *reply;
	const struct ellu_error *error;
	struct ellu *daemon;
	int r, success;

	r = ellu_open(NULL, ELLU_BLOCKING, &daemon);
	if (r < 0) {
		fprintf(stderr, "no daemon: %s\n", ellu_strerror(r));
		return ellu_error_exit_status(r);
	}
	/* Returns when the task has ended. */
	r = ellu_run_experiment(daemon, request, &reply, &error);
	if (r < 0) {
		fprintf(stderr, "%s\n", error ? error->message : ellu_strerror(r));
		ellu_free(error);
		ellu_close(daemon);
		return ellu_error_exit_status(r);
	}
	success = ellu_task_is_success(reply->task);
	printf("task %lld is %s\n", (long long) reply->task->id, reply->task->status);
	if (success && reply->task->result && reply->task->result->results)
		print_results(reply->task->result->results);
	ellu_free(reply);
	ellu_close(daemon);
	return success ? 0 : 1;
}
