/* elluminate experiment compare: what came of several experiments, side by side. */
#include <stdio.h>

#include "client/cli/call.h"
#include "client/cli/command_compare.h"
#include "proto/generated/interface.h"
#include "proto/money.h"

int command_compare(struct cli *cli)
{
	const struct arguments *arguments = &cli->arguments;
	json_object *json = json_object_new_object(), *refs = json_object_new_array();

	for (unsigned i = 0; i < arguments->n_operands; i++)
		json_object_array_add(refs, cli_ref(arguments->operands[i]));
	json_object_object_add(json, "experiments", refs);
	return call_json_and_print(cli, call_method("CompareExperiments"), json);
}

/* "83.3 % (+10.0)": the share, and by how much it differs from the first one's. */
static void add_rate(struct table *table, const struct ellu_compared_rate *rate, bool is_first)
{
	if (!rate->yes || !rate->yes->value)
		table_text(table, "-");
	else if (is_first || !rate->difference)
		table_printf(table, "%.1f %%", *rate->yes->value * 100);
	else
		table_printf(table, "%.1f %% (%+.1f)", *rate->yes->value * 100, *rate->difference * 100);
	if (!is_first && rate->difference && *rate->difference != 0)
		table_mark(table, *rate->difference > 0 ? MEANING_GOOD : MEANING_BAD);
}

static void add_interval(struct table *table, const struct ellu_compared_rate *rate)
{
	if (rate->yes && rate->yes->low && rate->yes->high)
		table_printf(table, "%.1f to %.1f %%", *rate->yes->low * 100, *rate->yes->high * 100);
	else
		table_text(table, "-");
}

static void add_numbers(struct table *table, const struct ellu_experiment_results *results)
{
	char tokens[32], money[MONEY_TEXT_SIZE];

	if (results && results->duration_seconds->p50)
		table_printf(table, "%.2f s", *results->duration_seconds->p50);
	else
		table_text(table, "-");
	table_text(table, results ? number_text(tokens, results->total_output_tokens) : "-");
	if (results && results->cost) {
		money_format(*results->cost, money);
		table_printf(table, "$%s", money);
	} else {
		table_text(table, "-");
	}
}

static void print_experiments(const struct ellu_compare_experiments_reply *reply)
{
	static const char *const titles[] = { ">ID",	">SUCCESS", ">95 % INTERVAL", ">P50", ">TOKENS OUT",
					      ">COST",	"PROMPT",   "MODEL",	      "NAME" };
	struct table *table = table_new();
	char model[600];

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		table_column(table, titles[i]);
	for (size_t i = 0; i < reply->n_experiments; i++) {
		const struct ellu_experiment *experiment = reply->experiments[i];
		const struct ellu_ref *prompt = experiment->prompt_template;

		table_printf(table, "%lld", (long long) experiment->id);
		add_rate(table, reply->success_rate[i], i == 0);
		add_interval(table, reply->success_rate[i]);
		add_numbers(table, experiment->results);
		if (prompt && prompt->name && prompt->version)
			table_printf(table, "%s v%lld", prompt->name, (long long) *prompt->version);
		else
			table_text(table, "-");
		table_text(table, experiment->model ? model_text(experiment->model, model, sizeof(model)) : "-");
		table_text(table, experiment->name);
	}
	table_print(table, stdout);
	table_free(table);
}

/* A column an experiment, under its id. */
static void print_rates(const struct ellu_compare_experiments_reply *reply)
{
	struct table *table = table_new();
	char titles[10][32];

	for (size_t i = 0; i < reply->n_experiments && i < 10; i++) {
		snprintf(titles[i], sizeof(titles[i]), ">EXPERIMENT %lld",
			 (long long) reply->experiments[i]->id);
		table_column(table, titles[i]);
	}
	table_column(table, "CRITERION");
	for (size_t i = 0; i < reply->n_criteria; i++) {
		for (size_t k = 0; k < reply->criteria[i]->n_rates && k < 10; k++)
			add_rate(table, reply->criteria[i]->rates[k], k == 0);
		table_text(table, reply->criteria[i]->criterion);
	}
	table_print(table, stdout);
	table_free(table);
}

void print_comparison(const struct cli *cli, const void *reply)
{
	const struct ellu_compare_experiments_reply *comparison = reply;

	(void) cli;
	if (output.format == FORMAT_CSV) {
		print_rates(comparison);
		return;
	}
	print_experiments(comparison);
	putchar('\n');
	print_rates(comparison);
}
