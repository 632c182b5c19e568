#include "client/cli/tasks/preferences.h"

#include <stdio.h>
#include <string.h>

#include "client/cli/view/output.h"
#include "client/cli/view/show.h"
#include "client/cli/view/text.h"
#include "proto/text/plural.h"

static void add_number(struct table *table, int64_t number)
{
	char text[32];

	table_text(table, number_text(text, number));
}

static void add_figures(struct table *table, const struct ellu_preference_rank *rank)
{
	char text[64];

	if (output.format == FORMAT_CSV) {
		table_known(table, rank->share->value);
		table_known(table, rank->share->low);
		table_known(table, rank->share->high);
		table_known(table, rank->strength);
		table_known(table, rank->low);
		table_known(table, rank->high);
		return;
	}
	table_text(table, proportion_brief(text, rank->share));
	if (rank->strength && rank->low && rank->high)
		table_printf(table, "%+.2f (%+.2f to %+.2f)", *rank->strength, *rank->low, *rank->high);
	else if (rank->strength)
		table_printf(table, "%+.2f", *rank->strength);
	else
		table_text(table, "-");
}

static void print_ranking(const struct ellu_preference_result *result)
{
	static const char *const titles[] = { ">BETTER", ">TIED", ">WORSE", ">SHARE (95 %)", ">STRENGTH (95 %)",
					      "EXPERIMENT", NULL };
	static const char *const names[] = { "better", "tied", "worse", "share", "share_low", "share_high", "strength",
					     "strength_low", "strength_high", "experiment", NULL };
	struct table *table = table_new();

	for (const char *const *title = output.format == FORMAT_CSV ? names : titles; *title; title++)
		table_column(table, *title);
	for (size_t i = 0; i < result->n_ranking; i++) {
		const struct ellu_preference_rank *rank = result->ranking[i];

		add_number(table, rank->preferred);
		add_number(table, rank->tied);
		add_number(table, rank->not_preferred);
		add_figures(table, rank);
		table_text(table, rank->experiment_name);
	}
	table_print(table, stdout);
	table_free(table);
}

static const char *name_of(const struct ellu_preference_result *result, int64_t id)
{
	for (size_t i = 0; i < result->n_ranking; i++)
		if (result->ranking[i]->experiment_id == id)
			return result->ranking[i]->experiment_name;
	return "";
}

/* "first before second in 63.0 % (55.1 to 70.4) of 80 cases, p = 0.013", and how many are tied. */
static void print_pair(const struct ellu_preference_result *result, const struct ellu_preference_pair *pair)
{
	char text[64];

	text_print(stdout, name_of(result, pair->experiment_id));
	fputs(" before ", stdout);
	text_print(stdout, name_of(result, pair->other_experiment_id));
	if (!pair->share->value) {
		printf(": nothing came out of %lld case%s\n", (long long) pair->n_total, plural_s(pair->n_total));
		return;
	}
	printf(" in %s of %lld case%s", proportion_text(text, pair->share), (long long) pair->n_scored,
	       plural_s(pair->n_scored));
	if (pair->n_scored < pair->n_total)
		printf(" (%lld failed)", (long long) (pair->n_total - pair->n_scored));
	printf(", p = %.2g\n  %lld tied, each half a case", pair->p, (long long) pair->tied);
	if (pair->contradicted > 0)
		printf("; %lld of them since the judge went by the place", (long long) pair->contradicted);
	putchar('\n');
}

int preferences_print(const struct cli *cli, const struct ellu_preference_result *result, int64_t task_id)
{
	print_ranking(result);
	if (output.format != FORMAT_TABLE)
		return 0;
	putchar('\n');
	for (size_t i = 0; i < result->n_pairs; i++)
		print_pair(result, result->pairs[i]);
	cli_note(cli, "Each case: elluminate experiment preferences %lld%s", (long long) task_id,
		 cli_same_daemon(&cli->arguments));
	return 0;
}

/* "1 before 2, 2 = 3" */
void column_preferences(struct table *table, const void *item)
{
	const struct ellu_preferred_row *row = item;
	char text[1024] = "";

	for (size_t i = 0; i < row->n_preferences; i++) {
		const struct ellu_preference *one = row->preferences[i];
		const bool other = one->outcome && strcmp(one->outcome, "other_preferred") == 0;
		const char *word = !one->outcome ? "?" : strcmp(one->outcome, "tied") == 0 ? "=" : "before";

		text_append(text, sizeof(text), "%s%lld %s %lld", i > 0 ? ", " : "",
			    (long long) (other ? one->other_experiment_id : one->experiment_id), word,
			    (long long) (other ? one->experiment_id : one->other_experiment_id));
	}
	table_text(table, text);
}
