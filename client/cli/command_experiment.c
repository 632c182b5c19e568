/* What the commands of experiments say, and elluminate rate. */
#include <stdio.h>

#include "client/cli/call.h"
#include "client/cli/follow.h"
#include "client/cli/show.h"
#include "proto/generated/interface.h"

/* ---- Columns ---- */

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

	if (!response->error) {
		table_text(table, response->response_text);
		return;
	}
	table_printf(table, "! %s", response->error->message);
	table_mark(table, MEANING_BAD);
}

void print_experiment(const struct cli *cli, const void *reply)
{
	(void) cli;
	results_print(stdout, ((const struct ellu_get_experiment_reply *) reply)->experiment);
}

/* ---- rate ---- */

/* Some responses, whose verdicts are printed, or all of an experiment, which gets new results. */
int command_rate(struct cli *cli)
{
	const struct arguments *arguments = &cli->arguments;
	const char *responses = options_given(arguments, "responses");
	const bool filtered = options_given(arguments, "epoch") || options_given(arguments, "where");
	struct submission rating = { .verdicts = responses || filtered || arguments->keep };

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
	return submit_request(cli, &rating, NULL);
}
