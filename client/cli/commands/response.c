/* elluminate experiment responses, case, annotate, edit-rating: what was answered, and what is said of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/cli/call.h"
#include "client/cli/commands/criterion.h"
#include "client/cli/commands/response.h"
#include "client/cli/view/score_table.h"
#include "proto/generated/interface.h"

#define VERDICT_COLUMNS 4

/* ---- Verdicts ---- */

static const char *verdict_of(const char *rating)
{
	return rating ? rating : "?";
}

static enum meaning meaning_of(const char *rating)
{
	return !rating ? MEANING_WARNING : strcmp(rating, "YES") == 0 ? MEANING_GOOD : MEANING_BAD;
}

/* Each line behind the blanks of the first, so that no answer looks like what is printed around it. */
static void print_indented(const char *before, const char *text)
{
	const int blanks = (int) strspn(before, " ");
	char *copy = text && *text ? strdup(text) : NULL, *rest = copy;

	for (char *line; copy && (line = strsep(&rest, "\n"));) {
		if (line == copy)
			fputs(before, stdout);
		else
			printf("%*s", *line ? blanks : 0, "");
		text_print(stdout, line);
		putchar('\n');
	}
	free(copy);
}

static void print_verdict(const struct ellu_rating *rating)
{
	enum meaning meaning = rating->score && !rating->rating ? MEANING_NONE : meaning_of(rating->rating);
	char text[SCORE_TEXT_SIZE];

	printf("  %s%-*s%s ", meaning_on(&output, meaning), VERDICT_COLUMNS, rating_text(text, rating, "?"),
	       meaning_off(&output, meaning));
	text_print(stdout, rating->criterion->criterion_str);
	putchar('\n');
	print_indented("       ", rating->error ? rating->error->message : rating->reasoning);
}

/* ---- A case ---- */

static bool case_printed;

static void print_calls(const struct ellu_tool_call *const *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		fputs("calls ", stdout);
		text_print(stdout, calls[i]->name);
		print_indented(" ", calls[i]->arguments);
	}
}

static void print_messages(const struct ellu_message *const *messages, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		printf("%s%s%s\n", meaning_on(&output, MEANING_TITLE), messages[i]->role,
		       meaning_off(&output, MEANING_TITLE));
		print_indented("", messages[i]->content);
		print_calls(messages[i]->tool_calls, messages[i]->n_tool_calls);
	}
}

static void print_answer(const struct ellu_response *response)
{
	enum meaning meaning = response->error ? MEANING_BAD : MEANING_NONE;
	char duration[32];

	printf("%sanswer%s  %s", meaning_on(&output, MEANING_TITLE), meaning_off(&output, MEANING_TITLE),
	       response->duration_seconds ? duration_text(duration, *response->duration_seconds) : "no duration");
	if (response->input_tokens && response->output_tokens)
		printf(", %lld tokens in, %lld out", (long long) *response->input_tokens,
		       (long long) *response->output_tokens);
	if (response->cached && *response->cached)
		fputs(", from the cache", stdout);
	print_indented(", by ", response->llm_config);
	printf("%s%s", response->llm_config ? "" : "\n", meaning_on(&output, meaning));
	print_indented("", response->error ? response->error->message : response->response_text);
	if (response->error && response->error->first_message)
		print_indented("at first: ", response->error->first_message);
	fputs(meaning_off(&output, meaning), stdout);
	print_calls(response->tool_calls, response->n_tool_calls);
}

/* Who said it, and what it overruled. */
static void print_judge(const struct ellu_rating *rating)
{
	const struct ellu_verdict *original = rating->original;

	printf("       rating %lld, judge ", (long long) rating->id);
	text_print(stdout, rating->judge);
	if (original) {
		printf("; %s by ", verdict_of(original->rating));
		text_print(stdout, original->judge);
	}
	putchar('\n');
	if (original)
		print_indented("         ", original->error ? original->error->message : original->reasoning);
}

void print_case(const struct cli *cli, const void *item)
{
	const struct ellu_response *response = item;

	(void) cli;
	printf("%s%sResponse %lld%s, row %lld, epoch %lld\n", case_printed ? "\n" : "",
	       meaning_on(&output, MEANING_TITLE), (long long) response->id,
	       meaning_off(&output, MEANING_TITLE), (long long) response->template_variables->id,
	       (long long) response->epoch);
	case_printed = true;
	print_indented("", response->template_variables->input_values);
	putchar('\n');
	print_messages(response->messages, response->n_messages);
	print_messages(response->transcript, response->n_transcript);
	putchar('\n');
	print_answer(response);
	if (response->n_ratings > 0)
		putchar('\n');
	for (size_t i = 0; i < response->n_ratings; i++) {
		print_verdict(response->ratings[i]);
		print_judge(response->ratings[i]);
	}
	if (response->annotation)
		print_indented("\nAnnotation: ", response->annotation);
	if (response->left_out)
		print_indented("\n", response->left_out->message);
}

void print_response(const struct cli *cli, const void *reply)
{
	const struct ellu_get_response_reply *found = reply;

	print_case(cli, found->response);
	print_indented("\nExperiment: ", found->experiment->name);
}

int command_case(struct cli *cli)
{
	const char *row = cli->arguments.operands[1];
	json_object *json = json_object_new_object();
	int64_t id;
	int status;

	if (!cli_is_id(row, &id)) {
		json_object_put(json);
		cli_error("%s: expected the id of a row, as `elluminate experiment responses` shows it", row);
		return EXIT_USAGE;
	}
	json_object_object_add(json, "template_variables_id", json_object_new_int64(id));
	case_printed = false;
	status = call_list_asked(cli, json);
	if (status != 0 || case_printed || output.format != FORMAT_TABLE || cli->arguments.quiet)
		return status;
	cli_error("the experiment has no response for the row %s", row);
	return ellu_error_exit_status(ELLU_E_NOT_FOUND);
}

/* ---- Responses ---- */

static void print_with_reasons(const struct cli *cli, const void *item)
{
	const struct ellu_response *response = item;
	const char *variables = response->template_variables->input_values;
	int used;

	(void) cli;
	case_printed = true;
	fputs(meaning_on(&output, MEANING_TITLE), stdout);
	used = printf("%lld", (long long) response->id);
	fputs(meaning_off(&output, MEANING_TITLE), stdout);
	used += printf("  row %lld, epoch %lld  ", (long long) response->template_variables->id,
		       (long long) response->epoch);
	text_print_line(stdout, variables, output.width == 0 ? 0 : output.width > used ? output.width - used : 1);
	putchar('\n');
	print_indented("  ", response->error ? response->error->message : response->response_text);
	for (size_t i = 0; i < response->n_ratings; i++)
		print_verdict(response->ratings[i]);
	print_indented("  Annotation: ", response->annotation);
}

/* In detailed mode verdicts have reasons, which take lines of their own. */
int command_responses(struct cli *cli)
{
	const struct command *command = cli->command;
	struct command with_reasons = *command;
	const struct ellu_get_experiment_reply *reply = NULL;
	json_object *json;
	int64_t criterion;
	int status = cli_connect(cli);

	if (status == 0)
		status = call_experiment(cli, cli->operand, &reply);
	if (status != 0)
		return status;
	json = json_object_new_object();
	if (cli->arguments.criterion)
		status = criterion_find(reply->experiment, "criterion", cli->arguments.criterion, &criterion);
	if (status == 0 && cli->arguments.criterion)
		json_object_object_add(json, "criterion_id", json_object_new_int64(criterion));
	if (status == 0)
		status = criterion_take_where(cli, reply->experiment);
	if (cli->arguments.reasoning || strcmp(reply->experiment->rating_mode, "detailed") == 0) {
		with_reasons.print = print_with_reasons;
		with_reasons.columns = output.format == FORMAT_TABLE ? NULL : command->columns;
		cli->command = &with_reasons;
	}
	ellu_free(reply);
	case_printed = false;
	if (status == 0)
		status = call_list_asked(cli, json);
	else
		json_object_put(json);
	if (status == 0 && !cli->command->columns && !case_printed)
		cli_note(cli, "There is no such response.");
	cli->command = command;
	return status;
}

/* ---- What people say ---- */

static int take_id(const struct cli *cli, const char *what, json_object *json, const char *field)
{
	const char *operand = cli->arguments.operands[0];
	int64_t id;

	if (!cli_is_id(operand, &id)) {
		cli_error("%s: expected the id of a %s, a number", operand, what);
		json_object_put(json);
		return EXIT_USAGE;
	}
	json_object_object_add(json, field, json_object_new_int64(id));
	return 0;
}

int command_get_response(struct cli *cli)
{
	json_object *json = json_object_new_object();
	int status = take_id(cli, "response", json, "response_id");

	return status != 0 ? status : call_json_and_print(cli, method_named("GetResponse"), json);
}

/* What the second operand says of it; without one, nothing does any more. */
static int say(struct cli *cli, const char *what, const char *id_field, const char *field)
{
	const struct arguments *arguments = &cli->arguments;
	json_object *json = json_object_new_object();
	int status = take_id(cli, what, json, id_field);

	if (status != 0)
		return status;
	if (arguments->n_operands > 1)
		json_object_object_add(json, field, json_object_new_string(arguments->operands[1]));
	return call_json_and_print(cli, method_named(cli->command->method), json);
}

int command_annotate(struct cli *cli)
{
	return say(cli, "response", "response_id", "annotation");
}

int command_edit_rating(struct cli *cli)
{
	return say(cli, "rating", "rating_id", "rating");
}

void print_edited(const struct cli *cli, const void *reply)
{
	const struct ellu_rating *rating = ((const struct ellu_edit_rating_reply *) reply)->rating;

	(void) cli;
	print_verdict(rating);
	print_judge(rating);
}
