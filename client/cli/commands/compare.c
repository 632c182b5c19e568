/* elluminate experiment compare: what came of several experiments, side by side. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/commands/compare.h"
#include "client/cli/report/pairs.h"
#include "client/cli/view/score_table.h"
#include "client/cli/view/show.h"
#include "proto/generated/interface.h"
#include "proto/text/money.h"

#define CASES_SHOWN 10 // without --limit
#define VERDICTS_SHOWN 8 // one by one
#define EXPERIMENTS_MAX 10 // that the method compares
#define VERDICT_COLUMNS 4
#define CHANCE_MAX 0.05 // what chance alone brings more often is not marked

/* ---- The summary ---- */

static void add_evaluator(struct table *table, const struct ellu_compared_evaluator *evaluator)
{
	if (evaluator->variables)
		table_printf(table, "%s %.200s", evaluator->evaluator, evaluator->variables);
	else
		table_text(table, evaluator->evaluator);
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
	static const char *const titles[] = { ">ID",   ">SUCCESS (95 %)", ">P50",  ">TOKENS OUT",
					      ">COST", "PROMPT",	  "MODEL", "NAME" };
	struct table *table = table_new();
	char model[600], text[64];

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		table_column(table, titles[i]);
	for (size_t i = 0; i < reply->n_experiments; i++) {
		const struct ellu_experiment *experiment = reply->experiments[i];
		const struct ellu_ref *prompt = experiment->prompt_template;

		table_printf(table, "%lld", (long long) experiment->id);
		table_text(table, proportion_brief(text, reply->success_rate[i]->yes));
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

/* A column an experiment, under its id; the titles are to stay while the table is. */
static void add_titles(struct table *table, const struct ellu_compare_experiments_reply *reply,
		       char titles[static EXPERIMENTS_MAX][32])
{
	for (size_t i = 0; i < reply->n_experiments && i < EXPERIMENTS_MAX; i++) {
		snprintf(titles[i], sizeof(titles[i]), ">EXPERIMENT %lld",
			 (long long) reply->experiments[i]->id);
		table_column(table, titles[i]);
	}
}

static void print_rates(const struct ellu_compare_experiments_reply *reply)
{
	struct table *table = table_new();
	char titles[EXPERIMENTS_MAX][32], text[64];

	add_titles(table, reply, titles);
	table_column(table, "CRITERION");
	for (size_t i = 0; i < reply->n_criteria; i++) {
		for (size_t k = 0; k < reply->criteria[i]->n_rates && k < EXPERIMENTS_MAX; k++)
			table_text(table, proportion_brief(text, reply->criteria[i]->rates[k]->yes));
		table_text(table, reply->criteria[i]->criterion);
	}
	table_print(table, stdout);
	table_free(table);
}

/* "0.83 (0.7 to 0.91)" */
static void add_mean(struct table *table, const struct ellu_evaluator_scores *scores)
{
	if (!scores || !scores->mean)
		table_text(table, "-");
	else if (scores->low && scores->high)
		table_printf(table, "%.2f (%.2f to %.2f)", *scores->mean, *scores->low, *scores->high);
	else
		table_printf(table, "%.2f", *scores->mean);
}

static void print_scores(const struct ellu_compare_experiments_reply *reply)
{
	char titles[EXPERIMENTS_MAX][32];
	struct table *table;

	if (reply->n_evaluators == 0)
		return;
	table = table_new();
	add_titles(table, reply, titles);
	table_column(table, "EVALUATOR");
	for (size_t i = 0; i < reply->n_evaluators; i++) {
		for (size_t k = 0; k < reply->evaluators[i]->n_scores && k < EXPERIMENTS_MAX; k++)
			add_mean(table, reply->evaluators[i]->scores[k]->scores);
		add_evaluator(table, reply->evaluators[i]);
	}
	putchar('\n');
	table_print(table, stdout);
	table_free(table);
}

/* What is more than chance, among all that were looked at, is marked. */
static void add_difference(struct table *table, int64_t experiment_id, const struct ellu_paired_difference *paired,
			   const char *difference)
{
	table_printf(table, "%lld", (long long) experiment_id);
	table_text(table, difference);
	if (paired->p_holm < CHANCE_MAX)
		table_mark(table, paired->value > 0 ? MEANING_GOOD : MEANING_BAD);
	table_printf(table, "%lld", (long long) paired->rows);
	table_printf(table, "%lld", (long long) paired->better);
	table_printf(table, "%lld", (long long) paired->worse);
	if (paired->effect_size)
		table_printf(table, "%+.2f", *paired->effect_size);
	else
		table_text(table, "-");
	table_printf(table, "%.2g", paired->p);
	table_printf(table, "%.2g", paired->p_holm);
}

static void add_rate_difference(struct table *table, const struct ellu_compared_rate *rate, const char *what)
{
	char text[64];

	if (!rate->paired)
		return;
	add_difference(table, rate->experiment_id, rate->paired, difference_text(text, rate->paired));
	table_text(table, what);
}

static void add_score_difference(struct table *table, const struct ellu_compared_evaluator *evaluator, size_t i)
{
	const struct ellu_compared_scores *scores = evaluator->scores[i];
	char text[64];

	if (!scores->paired)
		return;
	add_difference(table, scores->experiment_id, scores->paired, score_difference_text(text, scores->paired));
	add_evaluator(table, evaluator);
}

static void print_differences(const struct ellu_compare_experiments_reply *reply)
{
	const char *const titles[] = { ">ID", ">POINTS MORE (95 %)", ">ROWS", ">BETTER", ">WORSE",
				       ">EFFECT",     ">P",		     ">P (HOLM)",
				       reply->n_evaluators > 0 ? "CRITERION OR EVALUATOR" : "CRITERION" };
	struct table *table = table_new();

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		table_column(table, titles[i]);
	for (size_t i = 1; i < reply->n_experiments; i++) {
		add_rate_difference(table, reply->success_rate[i], ALL_CRITERIA);
		for (size_t k = 0; k < reply->n_criteria; k++)
			add_rate_difference(table, reply->criteria[k]->rates[i], reply->criteria[k]->criterion);
		for (size_t k = 0; k < reply->n_evaluators; k++)
			add_score_difference(table, reply->evaluators[k], i);
	}
	printf("\n%sBeside experiment %lld, on the rows that both have decided%s\n", meaning_on(&output, MEANING_TITLE),
	       (long long) reply->experiments[0]->id, meaning_off(&output, MEANING_TITLE));
	if (output.format == FORMAT_MD)
		putchar('\n'); // without it the table is none
	table_print(table, stdout);
	table_free(table);
}

/* A row for each measure of each, as those of experiments that run side by side. */
static void print_numbers(const struct ellu_compare_experiments_reply *reply)
{
	static const char *const titles[] = { "id", "experiment", "yes", "low", "high", "n_scored", "n_total",
					      "criterion" };
	struct table *table = table_new();

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		table_column(table, titles[i]);
	for (size_t k = 0; k < reply->n_experiments; k++) {
		const struct ellu_experiment *experiment = reply->experiments[k];

		for (size_t i = 0; i <= reply->n_criteria; i++) {
			const bool is_last = i == reply->n_criteria;
			const struct ellu_proportion *yes =
				(is_last ? reply->success_rate : reply->criteria[i]->rates)[k]->yes;

			if (!yes)
				continue;
			table_printf(table, "%lld", (long long) experiment->id);
			table_text(table, experiment->name);
			proportion_add_numbers(table, yes);
			table_text(table, is_last ? ALL_CRITERIA : reply->criteria[i]->criterion);
		}
		for (size_t i = 0; i < reply->n_evaluators; i++) {
			if (!reply->evaluators[i]->scores[k]->scores)
				continue;
			table_printf(table, "%lld", (long long) experiment->id);
			table_text(table, experiment->name);
			score_table_add_numbers(table, reply->evaluators[i]->scores[k]->scores);
			add_evaluator(table, reply->evaluators[i]);
		}
	}
	table_print(table, stdout);
	table_free(table);
}

void print_comparison(const struct cli *cli, const void *reply)
{
	const struct ellu_compare_experiments_reply *comparison = reply;

	(void) cli;
	output_page();
	if (output.format == FORMAT_CSV) {
		print_numbers(comparison);
		return;
	}
	print_experiments(comparison);
	putchar('\n');
	print_rates(comparison);
	print_scores(comparison);
	print_differences(comparison);
}

/* ---- The cases that changed ---- */

static int64_t n_printed;

static void print_verdicts(const struct ellu_compared_response *response)
{
	int met = 0;

	for (size_t i = 0; i < response->n_verdicts; i++) {
		const char *rating = response->verdicts[i]->rating;
		const bool yes = rating && strcmp(rating, "YES") == 0;
		enum meaning meaning = !rating ? MEANING_WARNING : yes ? MEANING_GOOD : MEANING_BAD;

		met += yes;
		if (response->n_verdicts <= VERDICTS_SHOWN)
			printf("%s%-*s%s", meaning_on(&output, meaning), VERDICT_COLUMNS, rating ? rating : "?",
			       meaning_off(&output, meaning));
	}
	if (response->n_verdicts > VERDICTS_SHOWN)
		printf("%d of %zu met", met, response->n_verdicts);
}

/* As much of its first line as there is room for. */
static void print_first_line(const char *text, int used)
{
	size_t skipped = strspn(text, " \t\r\n");
	char *line = strndup(text + skipped, strcspn(text + skipped, "\n"));
	const int room = output.width - used;

	if (line)
		text_print_line(stdout, line, output.width == 0 ? 0 : room > 1 ? room : 1);
	free(line);
}

static void print_answer(const struct ellu_compared_response *response, int id_columns)
{
	size_t n = response->n_verdicts;
	int used = id_columns + 4 + (n > VERDICTS_SHOWN ? 16 : (int) n * VERDICT_COLUMNS + 1);

	printf("  %*lld  ", id_columns, (long long) response->experiment_id);
	print_verdicts(response);
	putchar(' ');
	if (!response->response_id)
		fputs("no answer", stdout);
	else if (response->error)
		print_first_line(response->error->message, used);
	else if (response->response_text)
		print_first_line(response->response_text, used);
	putchar('\n');
}

static void print_compared_case(const struct cli *cli, const void *item)
{
	const struct ellu_compared_case *compared = item;
	int id_columns = 0;

	(void) cli;
	if (n_printed++ == 0)
		printf("\n%sCases that changed%s\n", meaning_on(&output, MEANING_TITLE),
		       meaning_off(&output, MEANING_TITLE));
	printf("Row %lld, epoch %lld  ", (long long) compared->template_variables->id,
	       (long long) compared->epoch);
	print_first_line(compared->template_variables->input_values, 24);
	putchar('\n');
	for (size_t i = 0; i < compared->n_responses; i++) {
		int n = snprintf(NULL, 0, "%lld", (long long) compared->responses[i]->experiment_id);

		id_columns = n > id_columns ? n : id_columns;
	}
	for (size_t i = 0; i < compared->n_responses; i++)
		print_answer(compared->responses[i], id_columns);
}

static json_object *refs_of(const struct cli *cli)
{
	json_object *json = json_object_new_object(), *refs = json_object_new_array();

	for (unsigned i = 0; i < cli->arguments.n_operands; i++)
		json_object_array_add(refs, cli_ref(cli->arguments.operands[i]));
	json_object_object_add(json, "experiments", refs);
	return json;
}

static json_object *changed_of(const struct cli *cli)
{
	json_object *json = refs_of(cli);

	json_object_object_add(json, "changed", json_object_new_boolean(1));
	return json;
}

/* How many there are beside those that were printed. */
static int print_others(struct cli *cli, const struct method *method)
{
	json_object *json = changed_of(cli);
	const struct ellu_list_compared_cases_reply *page;
	const void *reply;
	int status;

	json_object_object_add(json, "limit", json_object_new_int(1));
	json_object_object_add(json, "count", json_object_new_boolean(1));
	status = call_json(cli, method, json, &reply);
	if (status != 0)
		return status;
	page = reply;
	if (page->count && *page->count > n_printed)
		printf("... and %lld more; -n %lld shows them\n", (long long) (*page->count - n_printed),
		       (long long) *page->count);
	ellu_free(reply);
	return output_flush();
}

static int print_changed(struct cli *cli)
{
	const struct command *command = cli->command;
	struct command cases = *command;
	const int64_t limit = cli->arguments.limit > 0 ? cli->arguments.limit : CASES_SHOWN;
	int status;

	n_printed = 0;
	cases.method = command->also;
	cases.print = print_compared_case;
	cases.listed = CASES_SHOWN;
	cli->command = &cases;
	status = call_list_asked(cli, changed_of(cli));
	cli->command = command;
	if (status == 0 && n_printed == 0)
		puts("\nNo case changed.");
	return status == 0 && n_printed == limit ? print_others(cli, method_named(cases.method)) : status;
}

int command_compare(struct cli *cli)
{
	int status = call_json_and_print(cli, method_named("CompareExperiments"), refs_of(cli));

	if (status != 0 || output.format != FORMAT_TABLE || cli->arguments.quiet)
		return status;
	return print_changed(cli);
}
