#include "client/cli/tasks/scores.h"

#include <errno.h>
#include <stdio.h>

#include "client/cli/call.h"
#include "client/cli/tasks/preferences.h"
#include "client/cli/view/table.h"
#include "client/cli/view/text.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"

#define LOOKED_AT 20 // items of a batch, for who scored them

static void print_one(const struct ellu_evaluator_result *result)
{
	printf("%s: ", result->evaluator_name);
	if (result->score)
		printf("%.2f", *result->score);
	else
		text_print(stdout, result->error ? result->error->message : result->status);
	putchar('\n');
	if (!result->justification)
		return;
	fputs("  ", stdout);
	text_print(stdout, result->justification);
	putchar('\n');
}

static bool is_simulated(const struct ellu_evaluator_result *const *results, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (results[i]->model && provider_is_simulated(results[i]->model))
			return true;
	return false;
}

void scores_tell_simulated(const struct cli *cli)
{
	cli_note(cli, "Simulated: these scores come from the built-in simulated model.");
}

static void print_some(const struct cli *cli, const struct ellu_evaluator_result *const *results, size_t n)
{
	if (is_simulated(results, n))
		scores_tell_simulated(cli);
	for (size_t i = 0; i < n; i++)
		print_one(results[i]);
}

/* Whether the first of its items say so: all of them were scored by the same. */
static bool is_batch_simulated(const struct cli *cli, int64_t task_id)
{
	struct ellu_list_batch_items_request request = ELLU_RECORD(struct ellu_list_batch_items_request);
	const struct ellu_list_batch_items_reply *reply;
	bool found = false;

	request.id = task_id;
	request.limit = LOOKED_AT;
	if (ellu_list_batch_items(cli->daemon, &request, &reply, NULL) < 0)
		return false;
	for (size_t i = 0; i < reply->n_items && !found; i++)
		found = is_simulated(reply->items[i]->results, reply->items[i]->n_results);
	ellu_free(reply);
	return found;
}

static void print_batch(const struct cli *cli, const struct ellu_batch_result *batch, int64_t task_id)
{
	if (is_batch_simulated(cli, task_id))
		scores_tell_simulated(cli);
	for (size_t i = 0; i < batch->n_evaluators; i++) {
		const struct ellu_batch_scores *scores = batch->evaluators[i];

		printf("%s: ", scores->evaluator_name);
		if (scores->mean)
			printf("%.2f", *scores->mean);
		else
			putchar('-');
		if (scores->low && scores->high)
			printf(" [%.2f, %.2f]", *scores->low, *scores->high);
		printf(", %lld of %lld scored\n", (long long) scores->n_scored, (long long) scores->n_total);
	}
	cli_note(cli, "Each item: elluminate task items %lld%s", (long long) task_id,
		 cli_same_daemon(&cli->arguments));
}

bool scores_are_in(const struct ellu_task_result *result)
{
	return result->evaluation || result->judgement || result->batch || result->preference;
}

int scores_print(const struct cli *cli, const struct ellu_task_result *result, int64_t task_id)
{
	if (result->preference && !output_is_json())
		return preferences_print(cli, result->preference, task_id);
	if (output_is_data())
		return result->preference ? call_print_data(&ellu_preference_result_type, result->preference) :
		       result->batch	  ? call_print_data(&ellu_batch_result_type, result->batch) :
		       result->judgement  ? call_print_data(&ellu_judge_result_type, result->judgement) :
					    call_print_data(&ellu_evaluator_result_type, result->evaluation);
	output_fence(stdout);
	if (result->batch)
		print_batch(cli, result->batch, task_id);
	else if (result->judgement)
		print_some(cli, result->judgement->results, result->judgement->n_results);
	else
		print_some(cli, &result->evaluation, 1);
	output_fence(stdout);
	return 0;
}

void column_scores(struct table *table, const void *item)
{
	const struct ellu_batch_item *one = item;
	char text[1024] = "";

	for (size_t i = 0; i < one->n_results; i++) {
		const struct ellu_evaluator_result *result = one->results[i];

		text_append(text, sizeof(text), "%s%.100s ", i > 0 ? ", " : "", result->evaluator_name);
		if (result->score)
			text_append(text, sizeof(text), "%.2f", *result->score);
		else
			text_append(text, sizeof(text), "-");
	}
	table_text(table, text);
}
