/* What the commands of experiments say, and elluminate rate. */
#include <stdio.h>

#include "client/cli/call.h"
#include "client/cli/results.h"
#include "client/cli/follow.h"
#include "proto/generated/interface.h"

/* ---- Columns ---- */

void column_success(struct table *table, const void *item)
{
	const struct ellu_experiment_results *results = ((const struct ellu_experiment *) item)->results;

	if (results && results->success_rate->value)
		table_printf(table, "%.1f %%", *results->success_rate->value * 100);
	else
		table_text(table, "-");
}

void column_model(struct table *table, const void *item)
{
	const struct ellu_model *model = ((const struct ellu_experiment *) item)->model;
	char text[600];

	table_text(table, model ? model_text(model, text, sizeof(text)) : "-");
}

void column_experiment(struct table *table, const void *item)
{
	const struct ellu_experiment *experiment = item;

	table_printf(table, "%s%s", experiment->name,
		     experiment->results && experiment->results->simulated ? " (simulated)" : "");
}

/* "YNY": the verdicts in the order of the criteria, `?` for one that failed. */
void column_verdicts(struct table *table, const void *item)
{
	const struct ellu_response *response = item;
	char text[65];
	size_t n = 0;

	for (; n < response->n_ratings && n < sizeof(text) - 1; n++)
		text[n] = response->ratings[n]->rating ? response->ratings[n]->rating[0] : '?';
	text[n] = '\0';
	table_text(table, text);
}

void column_response(struct table *table, const void *item)
{
	const struct ellu_response *response = item;

	if (response->error)
		table_printf(table, "! %s", response->error->message);
	else
		table_text(table, response->response_text);
}

void print_experiment(const struct cli *cli, const void *reply)
{
	results_print(stdout, ((const struct ellu_get_experiment_reply *) reply)->experiment, cli->color);
}

/* ---- rate ---- */

/* Some responses, whose verdicts are printed, or all of an experiment, which gets new results. */
int command_rate(struct cli *cli)
{
	const struct arguments *arguments = &cli->arguments;
	const char *responses = options_given(arguments, "responses");
	const bool filtered = options_given(arguments, "epoch") || options_given(arguments, "where");
	struct submission rating = { .verdicts = responses || filtered || arguments->keep };
	struct arena arena;
	void *request;
	int status;

	if ((arguments->n_operands > 0) == (responses != NULL)) {
		cli_error("rate: expected either an experiment or --responses");
		return EXIT_USAGE;
	}
	if (responses && filtered) {
		cli_error("--epoch and --where choose among the responses of an experiment");
		return EXIT_USAGE;
	}
	if (options_given(arguments, "criteria") && options_given(arguments, "set")) {
		cli_error("--criteria and --set exclude each other");
		return EXIT_USAGE;
	}
	rating.method = call_method(rating.verdicts ? "RateResponses" : "RateExperiment");
	arena_init(&arena);
	status = call_request(cli, rating.method, NULL, &arena, &request);
	if (status == 0)
		status = cli_connect(cli);
	rating.request = request;
	if (status == 0)
		status = submit(cli, &rating);
	arena_done(&arena);
	return status;
}
