/* elluminate experiment …. */
#include <stdio.h>

#include "client/cli/cli.h"
#include "client/cli/listing.h"
#include "client/cli/results.h"
#include "client/cli/table.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

/* ---- list ---- */

LISTING_NEXT(list_experiments)

static void add_experiment(struct table *table, const void *item)
{
	const struct ellu_experiment *experiment = item;
	const struct ellu_experiment_results *results = experiment->results;
	char cases[32], model[600];

	table_printf(table, "%lld", (long long) experiment->id);
	table_text(table, number_text(cases, experiment->total_cases));
	if (results && results->success_rate->value)
		table_printf(table, "%.1f %%", *results->success_rate->value * 100);
	else
		table_text(table, "-");
	table_text(table, experiment->model ? model_text(experiment->model, model, sizeof(model)) : "-");
	table_time(table, experiment->created_at);
	table_printf(table, "%s%s", experiment->name,
		     results && results->simulated ? " (simulated)" : "");
}

int command_experiment_list(struct cli *cli)
{
	static const char *const titles[] = { ">ID",     ">CASES", ">SUCCESS", "MODEL",
					      "CREATED", "NAME",   NULL };
	static const struct listing listing = { .type = &ellu_experiment_type,
						.titles = titles,
						.add = add_experiment,
						.next = list_experiments_next };
	struct ellu_list_experiments_request request =
		ELLU_RECORD(struct ellu_list_experiments_request);
	int64_t wanted = cli->arguments.limit > 0 ? cli->arguments.limit : PAGE_DEFAULT;
	int64_t page = listing_page_limit(wanted);
	struct ellu_stream *stream;
	int r, status = cli_connect(cli);

	if (status != 0)
		return status;
	request.project = cli->arguments.project;
	request.limit = &page;
	r = ellu_list_experiments_stream(cli->daemon, &request, &stream);
	if (r < 0)
		return cli_fail(r, NULL);
	return listing_print(cli, &listing, stream, wanted);
}

/* ---- show ---- */

int command_experiment_show(struct cli *cli)
{
	const struct ellu_get_experiment_reply *reply;
	struct ellu_ref ref;
	int64_t id;
	int status = cli_connect(cli);

	if (status != 0)
		return status;
	ref = cli_ref(cli->arguments.operands[0], &id);
	status = cli_get_experiment(cli, &ref, &reply);
	if (status != 0)
		return status;
	if (cli->arguments.json)
		status = cli_print_json(&ellu_get_experiment_reply_type, reply);
	else
		results_print(stdout, reply->experiment, cli->color);
	ellu_free(reply);
	return status;
}

/* ---- responses ---- */

/* "YNY": the verdicts in the order of the criteria, `?` for one that failed. */
static void add_verdicts(struct table *table, const struct ellu_response *response)
{
	char text[65];
	size_t n = 0;

	for (; n < response->n_ratings && n < sizeof(text) - 1; n++)
		text[n] = response->ratings[n]->rating ? response->ratings[n]->rating[0] : '?';
	text[n] = '\0';
	table_text(table, text);
}

static void add_response(struct table *table, const void *item)
{
	const struct ellu_response *response = item;
	char duration[32];

	table_printf(table, "%lld", (long long) response->id);
	table_printf(table, "%lld", (long long) response->epoch);
	add_verdicts(table, response);
	table_text(table, duration_text(duration, response->duration_seconds));
	table_text(table, response->template_variables->input_values);
	if (response->error)
		table_printf(table, "! %s", response->error->message);
	else
		table_text(table, response->response_text);
}

LISTING_NEXT(list_responses)

int command_experiment_responses(struct cli *cli)
{
	static const char *const titles[] = { ">ID",	   ">EPOCH", "RATED", ">DURATION",
					      "VARIABLES", "RESPONSE", NULL };
	static const struct listing listing = { .type = &ellu_response_type,
						.titles = titles,
						.add = add_response,
						.next = list_responses_next };
	struct ellu_list_responses_request request = ELLU_RECORD(struct ellu_list_responses_request);
	int64_t wanted = cli->arguments.limit > 0 ? cli->arguments.limit : INTEGER_MAX;
	int64_t id, page = listing_page_limit(wanted);
	struct ellu_stream *stream;
	struct ellu_ref ref;
	int r, status = cli_connect(cli);

	if (status != 0)
		return status;
	ref = cli_ref(cli->arguments.operands[0], &id);
	request.project = cli->arguments.project;
	request.experiment = &ref;
	request.limit = &page;
	request.failed = cli_given_flag(cli->arguments.failed);
	r = ellu_list_responses_stream(cli->daemon, &request, &stream);
	if (r < 0)
		return cli_fail(r, NULL);
	return listing_print(cli, &listing, stream, wanted);
}
