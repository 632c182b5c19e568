/* elluminate power: how many cases it takes to see a difference, and what so many cases show. */
#include <math.h>
#include <stdio.h>

#include "client/cli/call.h"
#include "client/cli/report/pairs.h"
#include "proto/statistics/statistics.h"

#define CONFIDENCE 0.95
#define POWER 0.8 // where nothing else is said

/* What is asked, in shares. */
struct question {
	double difference; // 0: that `cases` show
	double discordant; // of the cases, which come out otherwise in the one than in the other; 0: unknown
	double power;
	double cases; // 0: that the difference takes
};

/* Of two experiments, so many of the rows that both have decided; of one, what it comes to when the other is
 * as good but for the difference, and has nothing else to do with it, which is as many as there may be. */
static int take_experiments(struct cli *cli, struct question *question)
{
	const struct ellu_compare_experiments_reply *compared = NULL;
	const struct ellu_get_experiment_reply *replies[2] = { NULL };
	const struct ellu_paired_difference *paired;
	unsigned n = cli->arguments.n_operands;
	int64_t ids[2] = { 0 };
	int status = 0;

	for (unsigned i = 0; status == 0 && i < n; i++) {
		status = call_experiment(cli, cli->arguments.operands[i], &replies[i]);
		if (status == 0)
			ids[i] = replies[i]->experiment->id;
	}
	if (status == 0 && n == 2)
		status = pairs_read(cli, ids, 2, &compared);
	paired = compared ? compared->success_rate[1]->paired : NULL;
	if (status == 0 && n == 2 && !paired) {
		cli_error("no row was decided in both experiments");
		status = EXIT_USAGE;
	}
	if (paired) {
		question->discordant = (double) (paired->better + paired->worse) / (double) paired->rows;
		if (question->difference <= 0 && question->cases <= 0)
			question->difference = fabs(paired->value);
	} else if (status == 0 && n == 1) {
		const struct ellu_experiment_results *results = replies[0]->experiment->results;
		const double *rate = results ? results->success_rate->value : NULL;

		if (!rate) {
			cli_error("experiment %s has no success rate yet", cli->arguments.operands[0]);
			status = EXIT_USAGE;
		} else {
			double other = *rate + question->difference <= 1 ? *rate + question->difference :
									   *rate - question->difference;

			question->discordant = *rate * (1 - other) + other * (1 - *rate);
		}
	}
	ellu_free(compared);
	ellu_free(replies[0]);
	ellu_free(replies[1]);
	return status;
}

static void add_answer(struct table *table, const struct question *question, double discordant)
{
	double cases = question->cases, difference = question->difference;

	if (cases > 0)
		difference = difference_of_rows(cases, sqrt(discordant), CONFIDENCE, question->power);
	else
		cases = ceil(rows_for_difference(difference, discordant, CONFIDENCE, question->power));
	if (difference > discordant)
		cases = NAN; // more cases would have to change than do
	table_printf(table, "%.1f %%", discordant * 100);
	if (isnan(difference) || difference > discordant)
		table_text(table, "-");
	else
		table_printf(table, "%.1f", difference * 100);
	if (isnan(cases))
		table_text(table, "-");
	else
		table_printf(table, "%.0f", cases);
	table_printf(table, "%.4g %%", question->power * 100);
}

int command_power(struct cli *cli)
{
	static const double usual[] = { 0.05, 0.1, 0.2, 0.3, 0.5 };
	const struct arguments *arguments = &cli->arguments;
	struct question question = {
		.difference = arguments->difference,
		.discordant = arguments->discordant,
		.power = arguments->power > 0 ? arguments->power : POWER,
		.cases = (double) arguments->limit,
	};
	struct table *table;
	int status = arguments->n_operands > 0 ? cli_connect(cli) : 0;

	if (question.difference > 0 && question.cases > 0) {
		cli_error("expected either --difference or --cases: the one follows from the other");
		return EXIT_USAGE;
	}
	if (status == 0 && arguments->n_operands > 0 && question.discordant <= 0)
		status = take_experiments(cli, &question);
	if (status != 0)
		return status;
	if (question.difference <= 0 && question.cases <= 0) {
		cli_error("expected --difference, --cases, or two experiments that differ");
		return EXIT_USAGE;
	}
	if (arguments->n_operands > 0 && question.discordant <= 0)
		cli_note(cli, arguments->n_operands == 2 ?
			      "No case came out otherwise in the one than in the other; so, for shares of "
			      "cases that may change:" :
			      "All cases came out alike; so, for shares of cases that may change:");
	table = table_new();
	table_column(table, ">CASES THAT CHANGE");
	table_column(table, ">POINTS");
	table_column(table, ">CASES");
	table_column(table, ">SEEN IN");
	if (question.discordant > 0)
		add_answer(table, &question, question.discordant);
	for (size_t i = 0; question.discordant <= 0 && i < sizeof(usual) / sizeof(usual[0]); i++)
		add_answer(table, &question, usual[i]);
	table_print(table, stdout);
	table_free(table);
	return output_flush();
}
