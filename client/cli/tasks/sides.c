#include "client/cli/tasks/sides.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/files/experiment_file.h"
#include "client/cli/view/show.h"
#include "proto/generated/interface.h"

static const struct ellu_experiment_results *results_of(const struct side *side)
{
	return side->experiment ? side->experiment->results : NULL;
}

/* What came of a criterion, or (NULL) of all. */
static const struct ellu_proportion *share_of(const struct side *side, const char *criterion)
{
	const struct ellu_experiment_results *results = results_of(side);

	if (!results || !criterion)
		return results ? results->success_rate : NULL;
	for (size_t i = 0; i < results->n_criteria; i++)
		if (strcmp(results->criteria[i]->criterion, criterion) == 0)
			return results->criteria[i]->yes;
	return NULL;
}

static void add_row(struct table *table, const struct side *sides, size_t n, const char *criterion)
{
	for (size_t i = 0; i < n; i++) {
		char text[64];

		table_text(table, proportion_brief(text, share_of(&sides[i], criterion)));
	}
	table_text(table, criterion ? criterion : ALL_CRITERIA);
}

static void add_ids(struct table *table, const struct side *sides, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (sides[i].id > 0)
			table_printf(table, "%lld", (long long) sides[i].id);
		else
			table_text(table, "-");
	table_text(table, "experiment");
}

/* Is it the first that has this criterion? */
static bool is_new(const struct side *sides, size_t at, const char *criterion)
{
	for (size_t i = 0; i < at; i++)
		if (share_of(&sides[i], criterion))
			return false;
	return true;
}

static void print_table(const struct side *sides, size_t n)
{
	struct table *table = table_new();
	char *titles[PAIRS_MAX];

	for (size_t i = 0; i < n; i++) {
		if (asprintf(&titles[i], ">%s", sides[i].label) < 0)
			titles[i] = NULL;
		table_column(table, titles[i] ? titles[i] : ">?");
	}
	table_column(table, "CRITERION");
	for (size_t i = 0; i < n; i++) {
		const struct ellu_experiment_results *results = results_of(&sides[i]);

		for (size_t k = 0; results && k < results->n_criteria; k++)
			if (is_new(sides, i, results->criteria[k]->criterion))
				add_row(table, sides, n, results->criteria[k]->criterion);
	}
	add_row(table, sides, n, NULL);
	add_ids(table, sides, n);
	table_print(table, stdout);
	table_free(table);
	for (size_t i = 0; i < n; i++)
		free(titles[i]);
}

static void tell_simulated(const struct side *sides, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (results_of(&sides[i]) && results_of(&sides[i])->simulated) {
			putchar('\n'); // which ends a table of Markdown
			results_print_simulated(stdout, "some of these answers or verdicts");
			return;
		}
}

static void print_csv(const struct side *sides, size_t n_sides)
{
	const struct ellu_experiment *experiments[PAIRS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < n_sides; i++)
		if (sides[i].experiment)
			experiments[n++] = sides[i].experiment;
	results_print_csv(stdout, experiments, n);
}

/* {"experiments":[…]}, or one a line. */
static int print_json(const struct side *sides, size_t n)
{
	bool begun = false;
	int status = 0;

	if (output.format == FORMAT_JSON)
		fputs("{\"experiments\":[", stdout);
	for (size_t i = 0; status == 0 && i < n; i++) {
		if (!sides[i].experiment)
			continue;
		fputs(begun && output.format == FORMAT_JSON ? "," : "", stdout);
		begun = true;
		status = cli_print_json(&ellu_experiment_type, sides[i].experiment);
	}
	if (output.format == FORMAT_JSON)
		puts("]}");
	return status;
}

int sides_print(const struct side *sides, size_t n)
{
	if (output_is_json())
		return print_json(sides, n);
	if (output.format == FORMAT_CSV) {
		print_csv(sides, n);
		return 0;
	}
	print_table(sides, n);
	tell_simulated(sides, n);
	return 0;
}
