/*
 * One experiment, blocking: a prompt over three cases, each answer judged by two questions.
 *
 *	experiment [URL]	an endpoint of the OpenAI dialect; without one, the simulated model
 */
#include <elluminate.h>
#include <stdio.h>

static int print_task(const struct ellu_task *task)
{
	const struct ellu_experiment_results *results = task->result ? task->result->results : NULL;

	printf("task %lld is %s\n", (long long) task->id, task->status);
	for (size_t i = 0; results && i < results->n_criteria; i++)
		if (results->criteria[i]->yes->value) /* NULL: no answer could be judged */
			printf("%3.0f %%  %s\n", *results->criteria[i]->yes->value * 100,
			       results->criteria[i]->criterion);
	if (results && results->success_rate->value)
		printf("success rate %.0f %%%s\n", *results->success_rate->value * 100,
		       results->simulated ? " (simulated)" : "");
	return ellu_task_is_success(task) ? 0 : 1;
}

int main(int argc, char **argv)
{
	const struct ellu_run_experiment_reply *reply = NULL;
	const struct ellu_error *error = NULL;
	struct ellu *daemon = NULL;
	int r = ellu_open(NULL, ELLU_BLOCKING, &daemon);

	/* Returns when the task has ended. What has these names follows the request. */
	r = r < 0 ? r : ellu_run_experiment(daemon, ELLU_NEW(run_experiment_request, .name = "Haiku",
		.prompt_template = ELLU_NEW(template_in, .content = ELLU_NEW(prompt_template,
			.name = "Haiku", ELLU_RECORDS(messages, message, ELLU_NEW(message,
				.role = "user", .content = "Write a haiku about {{topic}}.")))),
		.collection = ELLU_CONTENT(collection, .name = "Topics", ELLU_TEXTS(variables,
			"{\"topic\": \"tea\"}", "{\"topic\": \"rain\"}", "{\"topic\": \"coffee\"}")),
		ELLU_TEXTS(criteria, "Is it a haiku of three lines?", "Is it about {{topic}}?"),
		.llm_config = ELLU_CONTENT(llm_config, .name = "Example model", .llm_model_name = "m",
			.llm_base_url = argv[1],
			.provider = argc > 1 ? ELLU_PROVIDER_OPENAI : ELLU_PROVIDER_SIMULATED),
		.update_existing = 1), &reply, &error);
	if (r < 0)
		fprintf(stderr, "%s\n", error ? error->message : ellu_strerror(r));
	r = r < 0 ? ellu_error_exit_status(r) : print_task(reply->task);
	ellu_free(reply);
	ellu_free(error);
	ellu_close(daemon);
	return r;
}
