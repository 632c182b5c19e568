/*
 * From a prompt to reviewed answers: a template, the questions that its answers are judged by and
 * the test cases, both made up by a model, an experiment, and a note on one of its answers.
 *
 *	workflow
 */
#include <elluminate.h>
#include <stdio.h>

#include "sample.h"

#define TRY(call)                                    \
	do {                                         \
		const struct ellu_error *error;      \
		int r = (call);                      \
		if (r < 0)                           \
			return sample_complain(r, error); \
	} while (0)

static const struct ellu_ref prompt = { .struct_size = sizeof(prompt), .name = "Workflow haiku" };
static const struct ellu_ref topics = { .struct_size = sizeof(topics), .name = "Workflow topics" };

static int make_parts(struct ellu *daemon)
{
	struct ellu_get_or_create_prompt_template_request make =
		ELLU_RECORD(struct ellu_get_or_create_prompt_template_request);
	struct ellu_get_or_create_collection_request collect =
		ELLU_RECORD(struct ellu_get_or_create_collection_request);
	const struct ellu_get_or_create_prompt_template_reply *made;
	const struct ellu_get_or_create_collection_reply *collected;
	struct ellu_collection collection = ELLU_RECORD(struct ellu_collection);
	struct sample sample;

	sample_init(&sample, "", NULL, 0);
	sample.prompt.name = prompt.name;
	make.prompt_template = &sample.prompt;
	TRY(ellu_get_or_create_prompt_template(daemon, &make, &made, &error));
	printf("%s, version %lld\n", prompt.name, (long long) *made->prompt_template->version);
	ellu_free(made);
	collection.name = topics.name;
	collect.collection = &collection;
	TRY(ellu_get_or_create_collection(daemon, &collect, &collected, &error));
	ellu_free(collected);
	return 0;
}

/* The model makes up what is missing. */
static int generate(struct ellu *daemon)
{
	struct ellu_generate_criteria_request ask = ELLU_RECORD(struct ellu_generate_criteria_request);
	struct ellu_generate_template_variables_request fill =
		ELLU_RECORD(struct ellu_generate_template_variables_request);
	const struct ellu_generate_criteria_reply *asked;
	const struct ellu_generate_template_variables_reply *filled;
	int good;

	ask.prompt_template = fill.prompt_template = &prompt;
	ask.delete_existing = 1;
	TRY(ellu_generate_criteria(daemon, &ask, &asked, &error));
	good = ellu_task_is_success(asked->task);
	for (size_t i = 0; good && i < asked->task->result->generation->n_criteria; i++)
		printf("  %s\n", asked->task->result->generation->criteria[i]->criterion_str);
	ellu_free(asked);
	fill.collection = &topics;
	fill.count = 4;
	TRY(ellu_generate_template_variables(daemon, &fill, &filled, &error));
	good = good && ellu_task_is_success(filled->task);
	ellu_free(filled);
	return !good;
}

static int run_and_review(struct ellu *daemon)
{
	const struct ellu_template_in template_in = { .struct_size = sizeof(template_in), .ref = &prompt };
	const struct ellu_collection_in rows = { .struct_size = sizeof(rows), .ref = &topics };
	struct ellu_run_experiment_request request = ELLU_RECORD(struct ellu_run_experiment_request);
	struct ellu_list_responses_request list = ELLU_RECORD(struct ellu_list_responses_request);
	struct ellu_annotate_response_request note = ELLU_RECORD(struct ellu_annotate_response_request);
	struct ellu_ref experiment = ELLU_RECORD(struct ellu_ref);
	const struct ellu_run_experiment_reply *run;
	const struct ellu_list_responses_reply *page;
	const struct ellu_annotate_response_reply *noted;

	request.name = "Workflow";
	request.prompt_template = &template_in;
	request.collection = &rows;
	request.run_afresh = 1;
	TRY(ellu_run_experiment(daemon, &request, &run, &error));
	printf("%s: success rate %.0f %%\n", run->task->status, sample_success_rate(run->task));
	if (!ellu_task_is_success(run->task)) {
		ellu_free(run);
		return 1;
	}
	experiment.id = run->task->experiment_id;
	list.experiment = &experiment;
	TRY(ellu_list_responses(daemon, &list, &page, &error));
	note.response_id = page->items[0]->id;
	note.annotation = "Read, and found well made.";
	TRY(ellu_annotate_response(daemon, &note, &noted, &error));
	printf("a note on 1 of %zu answers\n", page->n_items);
	ellu_free(noted);
	ellu_free(page);
	ellu_free(run);
	return 0;
}

int main(void)
{
	struct ellu *daemon = sample_open(ELLU_BLOCKING);
	int exit_status = daemon ? make_parts(daemon) : 1;

	if (exit_status == 0)
		exit_status = generate(daemon);
	if (exit_status == 0)
		exit_status = run_and_review(daemon);
	if (daemon)
		ellu_close(daemon);
	return exit_status;
}
