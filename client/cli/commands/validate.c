/* elluminate skill …: answers that are judged before they are used. */
#include <stdlib.h>

#include "client/cli/call.h"
#include "client/cli/follow.h"
#include "client/cli/outcome.h"
#include "client/cli/scores.h"
#include "client/cli/view/show.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"
#include "proto/text/money.h"

int command_skill_validate(struct cli *cli)
{
	const struct arguments *arguments = &cli->arguments;
	const char *said = arguments->n_operands > 1 ? arguments->operands[1] : NULL;
	struct submission submission = { .method = method_named(cli->command->method), .is_lost = true };
	struct complaint complaint;
	json_object *json;
	char *text;
	int r;

	if (said && arguments->file) {
		cli_error("skill validate: expected either TEXT or --file");
		return EXIT_USAGE;
	}
	r = ask_text(cli, said, &text, &complaint);
	if (r < 0)
		return cli_fail_file(r, &complaint);
	json = json_object_new_object();
	json_object_object_add(json, "skill", cli_ref(arguments->operands[0]));
	json_object_object_add(json, "response", json_object_new_string(text));
	free(text);
	return submit_request(cli, &submission, json);
}

/* ---- What came of it ---- */

static void column_valid(struct table *table, const void *item)
{
	const struct ellu_validator_result *result = item;

	table_text(table, result->threshold > 0 ? result->is_valid ? "yes" : "no" : "-");
	table_mark(table, result->is_valid ? MEANING_NONE : MEANING_BAD);
}

static void column_why(struct table *table, const void *item)
{
	const struct ellu_validator_result *result = item;

	table_text(table, result->error ? result->error->message : result->justification);
}

static void print_validators(const struct ellu_validation *validation)
{
	static const struct column columns[] = {
		{ "VALIDATOR", "evaluator_name", NULL }, { ">SCORE", "result", NULL },
		{ ">THRESHOLD", "threshold", NULL },	 { "VALID", NULL, column_valid },
		{ "STATUS", "status", NULL },		 { "WHY", NULL, column_why },
		{ NULL, NULL, NULL },
	};
	struct table *table = table_new();

	show_columns(table, columns);
	for (size_t i = 0; i < validation->n_validator_results; i++)
		show_row(table, columns, &ellu_validator_result_type, validation->validator_results[i]);
	table_print(table, stdout);
	table_free(table);
}

/* Who answered, and what all of it took. */
static void note_use(const struct cli *cli, const struct ellu_skill_result *skill)
{
	char cost[MONEY_TEXT_SIZE] = "?", duration[32];

	for (size_t i = 0; i < skill->n_failed_models; i++)
		cli_note(cli, "%s did not answer: %s", skill->failed_models[i]->model,
			 skill->failed_models[i]->error->message);
	if (skill->answers > 1)
		cli_note(cli, "%lld answers were asked for; this is the last.", (long long) skill->answers);
	if (skill->model)
		cli_note(cli, "Answered by %s in %s.", skill->model,
			 duration_text(duration, skill->duration_seconds));
	if (!skill->cost)
		return;
	money_format(*skill->cost, cost);
	cli_note(cli, "It cost $%s.", cost);
}

int outcome_print_skill(const struct cli *cli, const struct ellu_skill_result *skill)
{
	const int status = skill->validation->is_valid ? 0 : EXIT_BELOW;
	int r;

	if (output_is_json()) {
		r = cli_print_json(&ellu_skill_result_type, skill);
		return r ? r : status;
	}
	for (size_t i = 0; i < skill->validation->n_validator_results; i++) {
		const char *model = skill->validation->validator_results[i]->model;

		if (!model || !provider_is_simulated(model))
			continue;
		scores_tell_simulated(cli);
		break;
	}
	if (skill->model && skill->response) {
		follow_print_text(skill->response);
		putchar('\n');
	}
	if (skill->validation->n_validator_results > 0 && !cli->arguments.quiet) {
		if (skill->model)
			putchar('\n');
		print_validators(skill->validation);
	}
	note_use(cli, skill);
	return status;
}
