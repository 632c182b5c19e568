/*
 * The experiment that the other examples run, so that each shows only what it is about:
 * experiment.c says how such a request is put together.
 */
#pragma once

#include <elluminate.h>

#define SAMPLE_CASES_MAX 8

/* A request and all it points to; it stays where sample_init() was given it. */
struct sample {
	struct ellu_message message;
	const struct ellu_message *messages[1];
	struct ellu_prompt_template prompt;
	struct ellu_template_in template_in;
	char collection_name[32];
	struct ellu_collection collection;
	struct ellu_collection_in collection_in;
	const char *criteria[2];
	struct ellu_llm_config model;
	struct ellu_llm_config_in model_in;
	struct ellu_run_experiment_request request;
};

/*
 * An experiment of that name over `n_cases` cases, a new one each time. `url` NULL: the simulated
 * model, which takes a tenth of a second for an answer.
 */
void sample_init(struct sample *sample, const char *name, const char *url, size_t n_cases);

/* The share of responses that meet all criteria, in percent; negative without one. */
double sample_success_rate(const struct ellu_task *task);

/* Opens the user's daemon, or says why not: NULL. */
struct ellu *sample_open(unsigned mode);

/* Says what is wrong, frees `error`, and returns the exit status. */
int sample_complain(int code, const struct ellu_error *error);
