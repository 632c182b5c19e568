/* elluminate power: how many cases it takes to see a difference, and what so many cases show. */
#include <math.h>
#include <stdio.h>

#include "client/cli/call.h"
#include "client/cli/report/pairs.h"
#include "proto/statistics/statistics.h"

#define CONFIDENCE 0.95
#define N_USUAL 5 // shares of cases that change
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

static void solve(struct question *question)
{
	const double spread = sqrt(question->discordant);

	if (question->cases > 0)
		question->difference = difference_of_rows(question->cases, spread, CONFIDENCE, question->power);
	else
		question->cases = ceil(rows_for_difference(question->difference, question->discordant, CONFIDENCE,
							   question->power));
	if (question->difference > question->discordant)
		question->difference = question->cases = NAN; // more cases would have to change than do
}

/* For people rounded to so many digits after the point. */
static void add_number(struct table *table, double number, int digits, const char *unit)
{
	if (output.format == FORMAT_CSV)
		table_known(table, isnan(number) ? NULL : &number);
	else if (isnan(number))
		table_text(table, "-");
	else
		table_printf(table, "%.*f%s", digits, number, unit);
}

static void add_row(struct table *table, const struct question *solved)
{
	const double seen_in = solved->power * 100;

	add_number(table, solved->discordant * 100, 1, " %");
	add_number(table, solved->difference * 100, 1, "");
	add_number(table, solved->cases, 0, "");
	add_number(table, seen_in, fabs(seen_in - round(seen_in)) < 1e-9 ? 0 : 1, " %");
}

/* As the table names its columns; in percent, as these are. */
static json_object *row_json(const struct question *solved)
{
	json_object *json = json_object_new_object();
	char cases[400]; // the largest number

	json_object_object_add(json, "cases_that_change", json_object_new_double(solved->discordant * 100));
	if (!isnan(solved->difference))
		json_object_object_add(json, "points", json_object_new_double(solved->difference * 100));
	if (isfinite(solved->cases)) {
		snprintf(cases, sizeof(cases), "%.0f", solved->cases);
		json_object_object_add(json, "cases", json_object_new_double_s(solved->cases, cases));
	}
	json_object_object_add(json, "seen_in", json_object_new_double(solved->power * 100));
	return json;
}

static int put_json(json_object *json)
{
	int status = cli_put_json(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));

	json_object_put(json);
	return status;
}

static int print_json(const struct question *solved, size_t n)
{
	json_object *items = output.format == FORMAT_JSON ? json_object_new_array() : NULL, *all;
	int status = 0;

	for (size_t i = 0; status == 0 && i < n; i++)
		if (items)
			json_object_array_add(items, row_json(&solved[i]));
		else
			status = put_json(row_json(&solved[i]));
	if (!items)
		return status;
	all = json_object_new_object();
	json_object_object_add(all, "items", items);
	return put_json(all);
}

static int print_answers(const struct question *solved, size_t n)
{
	struct table *table;

	if (output_is_json())
		return print_json(solved, n);
	table = table_new();
	table_column(table, ">CASES THAT CHANGE");
	table_column(table, ">POINTS");
	table_column(table, ">CASES");
	table_column(table, ">SEEN IN");
	for (size_t i = 0; i < n; i++)
		add_row(table, &solved[i]);
	table_print(table, stdout);
	table_free(table);
	return output_flush();
}

int command_power(struct cli *cli)
{
	static const double usual[N_USUAL] = { 0.05, 0.1, 0.2, 0.3, 0.5 };
	const struct arguments *arguments = &cli->arguments;
	struct question question = {
		.difference = arguments->difference,
		.discordant = arguments->discordant,
		.power = arguments->power > 0 ? arguments->power : POWER,
		.cases = (double) arguments->limit,
	};
	struct question answers[N_USUAL];
	size_t n;
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
	n = question.discordant > 0 ? 1 : N_USUAL;
	for (size_t i = 0; i < n; i++) {
		answers[i] = question;
		answers[i].discordant = n > 1 ? usual[i] : question.discordant;
		solve(&answers[i]);
	}
	return print_answers(answers, n);
}
