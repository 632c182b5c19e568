/* SPDX-License-Identifier: MIT */
/* elluminate experiment …. */
#include <stdio.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/results.h"
#include "client/cli/table.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

/* ---- list ---- */

static void add_experiment(struct table *table, const struct ellu_experiment *experiment)
{
	const struct ellu_experiment_results *results = experiment->results;
	char cases[32];

	table_printf(table, "%lld", (long long) experiment->id);
	table_text(table, number_text(cases, experiment->total_cases));
	if (results && results->success_rate->value)
		table_printf(table, "%.1f %%", *results->success_rate->value * 100);
	else
		table_text(table, "-");
	table_time(table, experiment->created_at);
	table_printf(table, "%s%s", experiment->name,
		     results && results->simulated ? " (simulated)" : "");
}

int command_experiment_list(struct cli *cli)
{
	static const char *const titles[] = { ">ID", ">CASES", ">SUCCESS", "CREATED", "NAME", NULL };
	struct ellu_list_experiments_request request =
		ELLU_RECORD(struct ellu_list_experiments_request);
	int64_t left = cli->arguments.limit > 0 ? cli->arguments.limit : PAGE_DEFAULT, limit;
	const struct ellu_list_experiments_reply *page = NULL;
	const struct ellu_error *error;
	struct table *table;
	bool first = true;
	int status = cli_connect(cli);

	if (status != 0)
		return status;
	table = table_new(titles);
	request.project = cli->arguments.project;
	request.limit = &limit;
	do {
		const struct ellu_list_experiments_reply *before = page;
		int r;

		limit = left < PAGE_MAX ? left : PAGE_MAX;
		r = ellu_list_experiments(cli->daemon, &request, &page, &error);
		ellu_free(before);
		if (r < 0) {
			table_free(table);
			return cli_fail(r, error);
		}
		for (size_t i = 0; status == 0 && i < page->n_items; i++)
			if (cli->arguments.json)
				status = cli_print_item(&ellu_experiment_type, page->items[i], &first);
			else
				add_experiment(table, page->items[i]);
		left -= (int64_t) page->n_items;
		request.cursor = page->next_cursor;
	} while (status == 0 && left > 0 && page->next_cursor && page->n_items > 0);
	if (cli->arguments.json)
		cli_end_items(first);
	else
		table_print(table, stdout, cli->color);
	ellu_free(page);
	table_free(table);
	return status;
}

/* ---- show ---- */

int command_experiment_show(struct cli *cli)
{
	struct ellu_get_experiment_request request = ELLU_RECORD(struct ellu_get_experiment_request);
	const struct ellu_get_experiment_reply *reply;
	const struct ellu_error *error;
	struct ellu_ref ref;
	int64_t id;
	int r, status = cli_connect(cli);

	if (status != 0)
		return status;
	ref = cli_ref(cli->arguments.operands[0], &id);
	request.project = cli->arguments.project;
	request.experiment = &ref;
	r = ellu_get_experiment(cli->daemon, &request, &reply, &error);
	if (r < 0)
		return cli_fail(r, error);
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

static void add_response(struct table *table, const struct ellu_response *response)
{
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

/* Prints page by page: there may be more than fit into memory. */
static int print_responses(struct cli *cli, const struct ellu_list_responses_reply *page,
			   int64_t *left, bool *first)
{
	static const char *const titles[] = { ">ID",	   ">EPOCH", "RATED", ">DURATION",
					      "VARIABLES", "RESPONSE", NULL };
	struct table *table = cli->arguments.json ? NULL : table_new(titles);
	int status = 0;

	for (size_t i = 0; status == 0 && i < page->n_items && *left > 0; i++, (*left)--)
		if (cli->arguments.json)
			status = cli_print_item(&ellu_response_type, page->items[i], first);
		else
			add_response(table, page->items[i]);
	table_print(table, stdout, cli->color);
	table_free(table);
	return status;
}

int command_experiment_responses(struct cli *cli)
{
	struct ellu_list_responses_request request = ELLU_RECORD(struct ellu_list_responses_request);
	int64_t id, left = cli->arguments.limit > 0 ? cli->arguments.limit : INTEGER_MAX;
	const struct ellu_list_responses_reply *page;
	const struct ellu_error *error = NULL;
	const int64_t limit = PAGE_MAX;
	const int failed = 1;
	struct ellu_stream *stream;
	struct ellu_ref ref;
	bool first = true;
	int r, status = cli_connect(cli);

	if (status != 0)
		return status;
	ref = cli_ref(cli->arguments.operands[0], &id);
	request.project = cli->arguments.project;
	request.experiment = &ref;
	request.limit = &limit;
	request.failed = cli->arguments.failed ? &failed : NULL;
	r = ellu_list_responses_stream(cli->daemon, &request, &stream);
	if (r < 0)
		return cli_fail(r, NULL);
	while (status == 0 && left > 0 &&
	       (r = ellu_list_responses_next(stream, &page, &error)) > 0) {
		status = print_responses(cli, page, &left, &first);
		ellu_free(page);
	}
	ellu_stream_close(stream);
	if (r < 0)
		return cli_fail(r, error);
	if (cli->arguments.json)
		cli_end_items(first);
	return status;
}
