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
	/* A request is made of records; each starts as ELLU_RECORD(). */
	struct ellu_message message = ELLU_RECORD(struct ellu_message);
	const struct ellu_message *messages[] = { &message };
	struct ellu_prompt_template prompt = ELLU_RECORD(struct ellu_prompt_template);
	struct ellu_template_in template_in = ELLU_RECORD(struct ellu_template_in);
	const char *cases[] = { "{\"topic\": \"coffee\"}", "{\"topic\": \"rain\"}",
				"{\"topic\": \"tea\"}" };
	struct ellu_collection collection = ELLU_RECORD(struct ellu_collection);
	struct ellu_collection_in collection_in = ELLU_RECORD(struct ellu_collection_in);
	const char *criteria[] = { "Is it a haiku of three lines?", "Is it about {{topic}}?" };
	struct ellu_llm_config model = ELLU_RECORD(struct ellu_llm_config);
	struct ellu_llm_config_in model_in = ELLU_RECORD(struct ellu_llm_config_in);
	struct ellu_run_experiment_request request = ELLU_RECORD(struct ellu_run_experiment_request);
	const int yes = 1;

	const struct ellu_run_experiment_reply *reply;
	const struct ellu_error *error;
	struct ellu *daemon;
	int r, success;

	message.role = "user";
	message.content = "Write a haiku about {{topic}}.";
	prompt.name = "Haiku";
	prompt.messages = messages;
	prompt.n_messages = 1;
	template_in.content = &prompt;

	collection.name = "Topics";
	collection.variables = cases;
	collection.n_variables = 3;
	collection_in.content = &collection;

	model.name = "Example model";
	model.provider = argc > 1 ? "openai" : "simulated";
	model.llm_model_name = "example";
	model.llm_base_url = argc > 1 ? argv[1] : NULL;
	model_in.content = &model;

	request.name = "Haiku";
	request.prompt_template = &template_in;
	request.collection = &collection_in;
	request.criteria = criteria;
	request.n_criteria = 2;
	request.llm_config = &model_in;
	request.update_existing = &yes; /* what has these names follows this request */

	r = ellu_open(NULL, ELLU_BLOCKING, &daemon);
	if (r < 0) {
		fprintf(stderr, "no daemon: %s\n", ellu_strerror(r));
		return ellu_error_exit_status(r);
	}
	/* Returns when the task has ended. */
	r = ellu_run_experiment(daemon, &request, &reply, &error);
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
