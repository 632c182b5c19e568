#include "sample.h"

#include <stdio.h>

static const char *const cases[SAMPLE_CASES_MAX] = {
	"{\"topic\": \"coffee\"}", "{\"topic\": \"rain\"}",    "{\"topic\": \"tea\"}",
	"{\"topic\": \"snow\"}",   "{\"topic\": \"the sea\"}", "{\"topic\": \"a train\"}",
	"{\"topic\": \"night\"}",  "{\"topic\": \"bread\"}",
};

void sample_init(struct sample *sample, const char *name, const char *url, size_t n_cases)
{
	*sample = (struct sample) {
		.message = ELLU_RECORD(struct ellu_message),
		.prompt = ELLU_RECORD(struct ellu_prompt_template),
		.template_in = ELLU_RECORD(struct ellu_template_in),
		.collection = ELLU_RECORD(struct ellu_collection),
		.collection_in = ELLU_RECORD(struct ellu_collection_in),
		.model = ELLU_RECORD(struct ellu_llm_config),
		.model_in = ELLU_RECORD(struct ellu_llm_config_in),
		.request = ELLU_RECORD(struct ellu_run_experiment_request),
	};
	sample->message.role = "user";
	sample->message.content = "Write a haiku about {{topic}}.";
	sample->messages[0] = &sample->message;
	sample->prompt.name = "Sample haiku";
	sample->prompt.messages = sample->messages;
	sample->prompt.n_messages = 1;
	sample->template_in.content = &sample->prompt;

	snprintf(sample->collection_name, sizeof(sample->collection_name), "%zu sample topics",
		 n_cases);
	sample->collection.name = sample->collection_name;
	sample->collection.variables = cases;
	sample->collection.n_variables = n_cases;
	sample->collection_in.content = &sample->collection;

	sample->model.name = "Sample model";
	sample->model.provider = url ? "openai" : "simulated";
	sample->model.llm_model_name = "sample";
	sample->model.llm_base_url = url;
	sample->model.custom = url ? NULL : "{\"latency_seconds\": 0.1}";
	sample->model_in.content = &sample->model;

	sample->criteria[0] = "Is it a haiku of three lines?";
	sample->criteria[1] = "Is it about {{topic}}?";
	sample->request.name = name;
	sample->request.prompt_template = &sample->template_in;
	sample->request.collection = &sample->collection_in;
	sample->request.criteria = sample->criteria;
	sample->request.n_criteria = 2;
	sample->request.llm_config = &sample->model_in;
	sample->request.update_existing = 1;
	sample->request.run_afresh = 1;
}

double sample_success_rate(const struct ellu_task *task)
{
	const struct ellu_experiment_results *results = task->result ? task->result->results : NULL;

	return results && results->success_rate->value ? *results->success_rate->value * 100 : -1;
}

struct ellu *sample_open(unsigned mode)
{
	struct ellu *daemon;
	int r = ellu_open(NULL, mode, &daemon);

	if (r >= 0)
		return daemon;
	fprintf(stderr, "no daemon: %s\n", ellu_strerror(r));
	return NULL;
}

int sample_complain(int code, const struct ellu_error *error)
{
	fprintf(stderr, "%s\n", error ? error->message : ellu_strerror(code));
	ellu_free(error);
	return ellu_error_exit_status(code);
}
