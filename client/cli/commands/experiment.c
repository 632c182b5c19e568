/* What the commands of experiments say, elluminate rate and elluminate experiment prefer. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/commands/criterion.h"
#include "client/cli/files/rows.h"
#include "client/cli/tasks/submit.h"
#include "client/cli/transfer/answers.h"
#include "client/cli/view/score_table.h"
#include "client/cli/view/show.h"
#include "proto/generated/interface.h"
#include "proto/text/plural.h"

#define VERDICTS_SCORES 8 // of the first evaluators

/* ---- Columns ---- */

void column_experiment(struct table *table, const void *item)
{
	const struct ellu_experiment *experiment = item;

	table_printf(table, "%s%s", experiment->name,
		     experiment->results && experiment->results->simulated ? " (simulated)" : "");
}

/* "YNY 0.75": the verdicts in the order of the criteria, `?` for one that failed, and the scores. */
void column_verdicts(struct table *table, const void *item)
{
	const struct ellu_response *response = item;
	char text[65 + VERDICTS_SCORES * SCORE_TEXT_SIZE], score[SCORE_TEXT_SIZE];
	size_t n = 0, used;

	for (; n < response->n_ratings && n < 64 && !response->ratings[n]->evaluator; n++)
		text[n] = response->ratings[n]->rating ? response->ratings[n]->rating[0] : '?';
	text[n] = '\0';
	used = n;
	for (size_t i = n; i < response->n_ratings && i < n + VERDICTS_SCORES; i++)
		if (response->ratings[i]->evaluator)
			used += (size_t) snprintf(text + used, sizeof(text) - used, "%s%s", used > 0 ? " " : "",
						  rating_text(score, response->ratings[i], "?"));
	table_text(table, text);
}

void column_response(struct table *table, const void *item)
{
	const struct ellu_response *response = item;

	if (!response->error) {
		table_text(table, response->response_text);
		return;
	}
	table_printf(table, "! %s", response->error->message);
	table_mark(table, MEANING_BAD);
}

/* In CSV of several it is said which one's a row is. */
void print_experiment(const struct cli *cli, const void *reply)
{
	const struct ellu_experiment *experiment = ((const struct ellu_get_experiment_reply *) reply)->experiment;

	if (output.format == FORMAT_CSV && cli->arguments.n_operands > 1)
		results_print_csv(stdout, &experiment, 1);
	else
		results_print(stdout, experiment);
}

/* ---- add-responses ---- */

/* Cells of CSV that are no texts are JSON, and empty ones are none, but for an answer. */
static void tidy(json_object *answer)
{
	static const struct record_type *const type = &ellu_made_response_type;

	for (size_t i = 0; i < type->n_fields; i++) {
		json_object *value = json_object_object_get(answer, type->fields[i].name);

		if (json_object_is_type(value, json_type_string) && json_object_get_string_len(value) == 0 &&
		    strcmp(type->fields[i].name, "response_text") != 0)
			json_object_object_del(answer, type->fields[i].name);
	}
}

/* Where a line does not say whose answer it is, it is the next row's. */
static int take_line(struct answers *answers, json_object *answer, int64_t number, long line)
{
	tidy(answer);
	if (!json_object_object_get(answer, "row") && !json_object_object_get(answer, "template_variables_id"))
		json_object_object_add(answer, "row", json_object_new_int64(number));
	return answers_take(answers, answer, line);
}

static int take_file(struct answers *answers, struct rows *rows)
{
	struct complaint complaint;
	json_object *answer;
	int64_t n = 0;
	int r, status = 0;

	while (status == 0 && (r = rows_next(rows, &answer, &complaint)) > 0) {
		status = take_line(answers, answer, ++n, rows_line(rows));
		json_object_put(answer);
	}
	if (status == 0)
		status = r < 0 ? cli_fail_file(r, &complaint) : answers_send(answers);
	return status;
}

#define COLUMNS 40 // that a line may have, and more

static void set_columns(struct rows *rows, struct ellu_column columns[static COLUMNS],
			const struct ellu_column *pointers[static COLUMNS])
{
	static const struct record_type *const type = &ellu_made_response_type;
	size_t n = 0;

	for (; n < type->n_fields && n < COLUMNS; n++) {
		columns[n] = (struct ellu_column) ELLU_RECORD(struct ellu_column);
		columns[n].name = type->fields[n].name;
		columns[n].type = type->fields[n].kind == FIELD_STRING ? "text" : "json";
		pointers[n] = &columns[n];
	}
	rows_set_columns(rows, pointers, n);
}

static int add_file(struct cli *cli, struct answers *answers, const char *path)
{
	const struct ellu_column *pointers[COLUMNS];
	struct ellu_column columns[COLUMNS];
	struct complaint complaint;
	struct rows *rows;
	char added[32], present[32];
	int status, r;

	if (strcmp(path, "-") == 0 && !cli->arguments.format) {
		cli_error("standard input has no name to tell by: expected --format csv, jsonl or json");
		return EXIT_USAGE;
	}
	r = rows_open(path, cli->arguments.format, /* once= */ true, &rows, &complaint);
	if (r < 0)
		return cli_fail_file(r, &complaint);
	set_columns(rows, columns, pointers);
	status = cli_connect(cli);
	if (status == 0)
		status = take_file(answers, rows);
	rows_free(rows);
	if (status == 0)
		cli_note(cli, "%s answer%s added, %s %s there already.", number_text(added, answers->added),
			 plural_s(answers->added), number_text(present, answers->present),
			 answers->present == 1 ? "was" : "were");
	return status;
}

int command_add_responses(struct cli *cli)
{
	const struct arguments *arguments = &cli->arguments;
	bool from_file = arguments->n_operands > 1;
	struct answers answers = { .cli = cli };
	json_object *request;
	int status;

	if (from_file == (options_given(arguments, "responses") != NULL)) {
		cli_error("experiment add-responses: expected either a file or --responses");
		return EXIT_USAGE;
	}
	answers.experiment = cli_ref(arguments->operands[0]);
	answers.name = from_file ? arguments->operands[1] : NULL;
	if (from_file) {
		status = add_file(cli, &answers, answers.name);
	} else {
		request = json_object_new_object();
		json_object_object_add(request, "experiment", json_object_get(answers.experiment));
		status = call_json_and_print(cli, method_named(cli->command->method), request);
	}
	answers_done(&answers);
	json_object_put(answers.experiment);
	return status;
}

/* ---- rate ---- */

static int take_where(struct cli *cli)
{
	const struct ellu_get_experiment_reply *reply = NULL;
	int status = cli_connect(cli);

	if (status == 0)
		status = call_experiment(cli, cli->operand, &reply);
	if (status == 0)
		status = criterion_take_where(cli, reply->experiment);
	ellu_free(reply);
	return status;
}

/* Some responses, whose verdicts are printed, or all of an experiment, which gets new results. */
int command_rate(struct cli *cli)
{
	const struct arguments *arguments = &cli->arguments;
	const char *responses = options_given(arguments, "responses");
	const bool filtered = options_given(arguments, "epoch") || options_given(arguments, "where");
	struct submission rating = { .verdicts = responses || filtered || arguments->keep };
	json_object *request = NULL, *evaluators;
	int status;

	if ((arguments->n_operands > 0) == (responses != NULL)) {
		cli_error("rate: expected either an experiment or --responses");
		return EXIT_USAGE;
	}
	if (responses && filtered) {
		cli_error("--epoch and --where choose among the responses of an experiment");
		return EXIT_USAGE;
	}
	if (options_given(arguments, "criteria") && options_given(arguments, "set")) {
		cli_error("--criteria and --set exclude each other");
		return EXIT_USAGE;
	}
	if (rating.verdicts && arguments->evaluators) {
		cli_error("--evaluators are an experiment's own: it takes them with its new results");
		return EXIT_USAGE;
	}
	if (arguments->evaluators && option_value(OPTION_EVALUATORS, arguments->evaluators, &evaluators) < 0) {
		cli_error("--evaluators %s: expected %s", arguments->evaluators, option_expected(OPTION_EVALUATORS));
		return EXIT_USAGE;
	}
	if (arguments->evaluators) {
		request = json_object_new_object();
		json_object_object_add(request, "evaluators", evaluators);
	}
	rating.method = method_named(rating.verdicts ? "RateResponses" : "RateExperiment");
	status = criterion_where_is_text(cli) ? take_where(cli) : 0;
	if (status == 0)
		return submit_request(cli, &rating, request);
	json_object_put(request);
	return status;
}

int command_prefer(struct cli *cli)
{
	struct submission task = { .method = method_named(cli->command->method) };
	json_object *request = json_object_new_object(), *experiments = json_object_new_array();

	if (!request || !experiments || json_object_object_add(request, "experiments", experiments) < 0) {
		json_object_put(experiments);
		json_object_put(request);
		return cli_fail(-ENOMEM, NULL);
	}
	for (size_t i = 0; i < cli->arguments.n_operands; i++)
		json_object_array_add(experiments, cli_ref(cli->arguments.operands[i]));
	return submit_request(cli, &task, request);
}
