/* elluminate experiment agreement: whether to trust a judge, by what people say. */
#include "client/cli/commands/compare.h"
#include "client/cli/view/output.h"
#include "client/cli/view/show.h"
#include "client/elluminate.h"

static void add_kappa(struct table *table, const struct ellu_agreement *agreement)
{
	if (agreement->kappa && agreement->kappa_low && agreement->kappa_high)
		table_printf(table, "%.2f (%.2f to %.2f)", *agreement->kappa, *agreement->kappa_low,
			     *agreement->kappa_high);
	else
		table_text(table, "-");
}

static void add_agreement(struct table *table, const struct ellu_agreement *agreement)
{
	char text[64];

	table_printf(table, "%lld", (long long) agreement->accuracy->n_total);
	table_text(table, proportion_brief(text, agreement->accuracy));
	add_kappa(table, agreement);
	table_printf(table, "%lld", (long long) agreement->yes_no);
	if (agreement->yes_no > 0)
		table_mark(table, MEANING_BAD);
	table_printf(table, "%lld", (long long) agreement->no_yes);
	if (agreement->no_yes > 0)
		table_mark(table, MEANING_BAD);
	if (agreement->threshold && agreement->j)
		table_printf(table, "%.3g (J %.2f)", *agreement->threshold, *agreement->j);
	else
		table_text(table, "-");
	if (agreement->alpha && agreement->alpha_low && agreement->alpha_high)
		table_printf(table, "%.2f (%.2f to %.2f)", *agreement->alpha, *agreement->alpha_low,
			     *agreement->alpha_high);
	else
		table_text(table, "-");
	table_text(table, agreement->criterion ? agreement->criterion : "all of them");
}

void print_agreement(const struct cli *cli, const void *reply)
{
	static const char *const titles[] = { ">LABELS",   ">ALIKE (95 %)", ">KAPPA (95 %)",	  ">WRONG YES",
					      ">WRONG NO", ">THRESHOLD",    ">JUDGES' ALPHA (95 %)", "CRITERION" };
	const struct ellu_get_judge_agreement_reply *agreement = reply;
	struct table *table = table_new();

	(void) cli;
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		table_column(table, titles[i]);
	for (size_t i = 0; i < agreement->n_criteria; i++)
		add_agreement(table, agreement->criteria[i]);
	add_agreement(table, agreement->all);
	table_print(table, stdout);
	table_free(table);
	if (output.format == FORMAT_TABLE && agreement->all->accuracy->n_total == 0)
		puts("\nNo verdict was looked at by a person: `elluminate experiment edit-rating` says whether one is right.");
}
