/* elluminate experiment agreement: whether to trust a judge, by what people say. */
#include "client/cli/commands/compare.h"
#include "client/cli/view/output.h"
#include "client/cli/view/show.h"
#include "client/elluminate.h"

static void add_figure(struct table *table, const double *value, const double *low, const double *high)
{
	if (output.format == FORMAT_CSV) {
		table_known(table, value);
		table_known(table, low);
		table_known(table, high);
	} else if (value && low && high) {
		table_printf(table, "%.2f (%.2f to %.2f)", *value, *low, *high);
	} else {
		table_text(table, "-");
	}
}

static void add_count(struct table *table, int64_t count)
{
	table_printf(table, "%lld", (long long) count);
	if (count > 0)
		table_mark(table, MEANING_BAD);
}

static void add_threshold(struct table *table, const struct ellu_agreement *agreement)
{
	if (output.format == FORMAT_CSV) {
		table_known(table, agreement->threshold);
		table_known(table, agreement->j);
	} else if (agreement->threshold && agreement->j) {
		table_printf(table, "%.3g (J %.2f)", *agreement->threshold, *agreement->j);
	} else {
		table_text(table, "-");
	}
}

/* The columns that have something to say. */
struct shown {
	bool threshold;
	bool alpha;
};

static void add_agreement(struct table *table, const struct ellu_agreement *agreement, struct shown shown)
{
	const struct ellu_proportion *accuracy = agreement->accuracy;
	char text[64];

	table_printf(table, "%lld", (long long) accuracy->n_total);
	if (output.format == FORMAT_CSV)
		add_figure(table, accuracy->value, accuracy->low, accuracy->high);
	else
		table_text(table, proportion_brief(text, accuracy));
	add_figure(table, agreement->kappa, agreement->kappa_low, agreement->kappa_high);
	add_count(table, agreement->yes_no);
	add_count(table, agreement->no_yes);
	if (shown.threshold)
		add_threshold(table, agreement);
	if (shown.alpha)
		add_figure(table, agreement->alpha, agreement->alpha_low, agreement->alpha_high);
	table_text(table, agreement->criterion ? agreement->criterion : "all of them");
}

static void add_titles(struct table *table, struct shown shown)
{
	static const char *const names[] = { "labels", "alike", "alike_low", "alike_high", "kappa", "kappa_low",
					     "kappa_high", "wrong_yes", "wrong_no", "threshold", "j", "alpha",
					     "alpha_low", "alpha_high", "criterion" };
	static const char *const titles[] = { ">LABELS", ">ALIKE (95 %)", ">KAPPA (95 %)", ">WRONG YES", ">WRONG NO" };

	if (output.format == FORMAT_CSV) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			table_column(table, names[i]);
		return;
	}
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		table_column(table, titles[i]);
	if (shown.threshold)
		table_column(table, ">THRESHOLD");
	if (shown.alpha)
		table_column(table, ">JUDGES' ALPHA (95 %)");
	table_column(table, "CRITERION");
}

static struct shown shown_of(const struct ellu_get_judge_agreement_reply *agreement)
{
	const bool all = output.format == FORMAT_CSV;
	struct shown shown = { all || agreement->all->threshold, all || agreement->all->alpha };

	for (size_t i = 0; i < agreement->n_criteria; i++) {
		shown.threshold = shown.threshold || agreement->criteria[i]->threshold;
		shown.alpha = shown.alpha || agreement->criteria[i]->alpha;
	}
	shown.alpha = shown.alpha || agreement->n_evaluators > 0;
	return shown;
}

/* People label no scores: there is what the judges say. */
static void add_evaluator(struct table *table, const struct ellu_evaluator_agreement *agreement, struct shown shown)
{
	static const struct ellu_agreement none = { 0 };
	const bool csv = output.format == FORMAT_CSV;

	table_text(table, csv ? "" : "-");
	add_figure(table, NULL, NULL, NULL);
	add_figure(table, NULL, NULL, NULL);
	for (int i = 0; i < 2; i++)
		table_text(table, csv ? "" : "-");
	if (shown.threshold)
		add_threshold(table, &none);
	add_figure(table, agreement->alpha, agreement->alpha_low, agreement->alpha_high);
	table_text(table, agreement->evaluator->name);
}

void print_agreement(const struct cli *cli, const void *reply)
{
	const struct ellu_get_judge_agreement_reply *agreement = reply;
	const struct shown shown = shown_of(agreement);
	struct table *table = table_new();

	(void) cli;
	add_titles(table, shown);
	for (size_t i = 0; i < agreement->n_criteria; i++)
		add_agreement(table, agreement->criteria[i], shown);
	add_agreement(table, agreement->all, shown);
	for (size_t i = 0; i < agreement->n_evaluators; i++)
		add_evaluator(table, agreement->evaluators[i], shown);
	table_print(table, stdout);
	table_free(table);
	if (output.format == FORMAT_TABLE && agreement->all->accuracy->n_total == 0)
		puts("\nNo verdict was looked at by a person:\n"
		     "`elluminate experiment edit-rating` says whether one is right.");
}
