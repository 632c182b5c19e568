#include "client/cli/tasks/outcome.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/report/report.h"
#include "client/cli/tasks/gates.h"
#include "client/cli/tasks/scores.h"
#include "client/cli/view/score_table.h"
#include "client/cli/view/show.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"
#include "proto/text/money.h"
#include "proto/text/plural.h"

/* ---- What a model makes up ---- */

int outcome_print_present(const struct record_type *type, const void *reply)
{
	const struct ellu_get_or_generate_criteria_reply *present = reply;

	if (type != &ellu_get_or_generate_criteria_reply_type)
		return cli_fail(-EPROTO, NULL);
	if (output_is_data())
		return call_print_data(type, reply);
	output_fence(stdout);
	show_criteria(stdout, present->criteria, present->n_criteria);
	output_fence(stdout);
	return 0;
}

static int print_generation(const struct cli *cli, const struct ellu_generation_result *made)
{
	if (output_is_data())
		return call_print_data(&ellu_generation_result_type, made);
	if (provider_is_simulated(made->model))
		cli_note(cli, "Simulated: this was made up by the built-in simulated model.");
	output_fence(stdout);
	show_criteria(stdout, made->criteria, made->n_criteria);
	if (made->collection_id)
		printf("%" PRId64 " row%s added.\n", made->added, made->added == 1 ? " was" : "s were");
	output_fence(stdout);
	return 0;
}

/* ---- An experiment, or its verdicts ---- */

void outcome_tell_failed(const struct cli *cli, const struct ellu_experiment *experiment)
{
	const struct ellu_experiment_results *results = experiment->results;

	if (results && results->failed_responses + results->failed_ratings > 0)
		cli_note(cli, "Ask again for what failed: elluminate experiment retry-failed %lld%s",
			 (long long) experiment->id, cli_same_daemon(&cli->arguments));
}

static int print_results(struct cli *cli, const struct follow *follow)
{
	const struct ellu_get_experiment_reply *reply;
	int status = call_experiment_by_id(cli, follow->experiment_id, &reply);

	if (status != 0)
		return status;
	if (output_is_json())
		status = cli_print_json(&ellu_get_experiment_reply_type, reply);
	else if (output.format >= FORMAT_HTML)
		status = reply->experiment->results ? report_results(cli, &reply->experiment->id, 1) : 0;
	else if (reply->experiment->results || strcmp(follow->status, "SUCCESS") == 0)
		results_print(stdout, reply->experiment);
	outcome_tell_failed(cli, reply->experiment);
	if (status == 0)
		status = gates_check(cli, reply->experiment);
	ellu_free(reply);
	return status;
}

static void column_rating(struct table *table, const void *item)
{
	const struct ellu_rating *rating = item;
	char text[SCORE_TEXT_SIZE];

	table_text(table, rating_text(text, rating, rating->error ? "failed" : "-"));
	table_mark(table, rating->error ? MEANING_BAD : MEANING_NONE);
}

static void column_reasoning(struct table *table, const void *item)
{
	const struct ellu_rating *rating = item;

	table_text(table, rating->error ? rating->error->message : rating->reasoning);
}

/* The verdicts of a rating task in the order asked, and what they came to (may be NULL). */
static int print_verdicts(struct cli *cli, int64_t task_id, const struct ellu_rating_results *results)
{
	static const struct column columns[] = {
		{ ">RESPONSE", "response_id", NULL },	    { "RATING", NULL, column_rating },
		{ "CRITERION", "criterion.criterion_str", NULL }, { "REASONING", NULL, column_reasoning },
		{ NULL, NULL, NULL },
	};
	static const struct command list = { .method = "ListRatings", .columns = columns };
	json_object *request = json_object_new_object();
	int status;

	json_object_object_add(request, "task_id", json_object_new_int64(task_id));
	status = call_list(cli, &list, request);
	if (status == 0 && results && !output_is_json() && output.format != FORMAT_CSV)
		results_print_ratings(stdout, results);
	return status;
}

/* ---- A skill ---- */

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

/* An answer that is not valid is EXIT_BELOW. */
static int print_skill(const struct cli *cli, const struct ellu_skill_result *skill)
{
	const int status = skill->validation->is_valid ? 0 : EXIT_BELOW;
	int r;

	if (output_is_data()) {
		r = call_print_data(&ellu_skill_result_type, skill);
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

/* ---- What one call brings ---- */

/* Of whatever kind: the record that is there. */
static int print_record(const struct ellu_task_result *result)
{
	const struct record_field *field = ellu_task_result_type.fields;
	const void *record = NULL;

	for (size_t i = 0; i < ellu_task_result_type.n_fields && !record; i++, field++)
		if (field->kind == FIELD_STRUCT)
			record = *(const void *const *) ((const char *) result + field->offset);
	if (record && output_is_json())
		return cli_print_json(field[-1].type, record);
	if (record)
		show_record(stdout, field[-1].type, record);
	return 0;
}

/* A vector a line, in CSV a number a cell. */
static int print_vectors(const struct ellu_embedding_result *embedding)
{
	const bool is_csv = output.format == FORMAT_CSV;

	if (output_is_json())
		return cli_print_json(&ellu_embedding_result_type, embedding);
	output_fence(stdout);
	for (size_t i = 0; i < embedding->n_embeddings; i++) {
		const struct ellu_embedding *each = embedding->embeddings[i];

		fputs(is_csv ? "" : "[", stdout);
		for (size_t k = 0; k < each->n_vector; k++)
			printf("%s%.15g", k == 0 ? "" : is_csv ? "," : ", ", each->vector[k]);
		puts(is_csv ? "" : "]");
	}
	output_fence(stdout);
	return 0;
}

static void tell_simulated(const struct follow *follow, const char *model)
{
	if (provider_is_simulated(model) && !follow->told_simulated)
		cli_note(follow->cli, "Simulated: this answer comes from the built-in simulated model.");
}

int outcome_print_answer(const struct follow *follow)
{
	const struct ellu_embedding_result *embedding = follow->result ? follow->result->embedding : NULL;
	const struct ellu_skill_result *skill = follow->result ? follow->result->skill : NULL;
	const struct ellu_call_result *call = follow->result ? follow->result->call : NULL;
	int status = 0;

	if (follow->result && follow->result->test)
		return print_record(follow->result);
	if (embedding) {
		tell_simulated(follow, embedding->model);
		return print_vectors(embedding);
	}
	if (skill) {
		tell_simulated(follow, skill->model ? skill->model : "");
		return print_skill(follow->cli, skill);
	}
	if (call && output_is_json())
		return cli_print_json(&ellu_call_result_type, call);
	if (call)
		tell_simulated(follow, call->model);
	if (call && output.format == FORMAT_CSV)
		return call_print_data(&ellu_call_result_type, call);
	if (call && call->text && !follow->told_last) {
		follow_print_text(call->text);
		if (*call->text && call->text[strlen(call->text) - 1] != '\n')
			putchar('\n');
	}
	for (size_t i = 0; call && status == 0 && i < call->n_tool_calls; i++)
		status = cli_print_json(&ellu_tool_call_type, call->tool_calls[i]);
	return status;
}

/* ---- Whatever it is ---- */

int outcome_print(struct cli *cli, const struct follow *follow)
{
	const struct ellu_rating_results *ratings = follow->result ? follow->result->ratings : NULL;

	if (follow->kept_present)
		return outcome_print_present(follow->submission->method->reply, follow->kept_present);
	if (follow->result && (follow->result->call || follow->result->test || follow->result->embedding ||
			       follow->result->skill))
		return outcome_print_answer(follow);
	if (follow->result && follow->result->generation)
		return print_generation(cli, follow->result->generation);
	if (follow->result && scores_are_in(follow->result))
		return scores_print(cli, follow->result, follow->task_id);
	if ((follow->submission->verdicts || ratings) && follow->task_id > 0)
		return print_verdicts(cli, follow->task_id, ratings);
	if (follow->experiment_id > 0)
		return print_results(cli, follow);
	return follow->result ? print_record(follow->result) : 0;
}
