#include "client/cli/submit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/follow.h"
#include "client/cli/results.h"
#include "proto/generated/interface.h"

int submit_fail(const struct cli *cli, bool may_be_outrun, int code, const struct ellu_error *error)
{
	if (!may_be_outrun || code != ELLU_E_CONFLICT || !error || !error->resource_type ||
	    strcmp(error->resource_type, "collection") != 0)
		return cli_fail_request(cli, code, error);
	ellu_free(error);
	return SUBMIT_OUTRUN;
}

/* ---- With --detach ---- */

static int print_detached(struct cli *cli, const struct method *method, const void *reply)
{
	const struct ellu_task *task = record_member(method->reply, reply, "task");
	int status = 0;

	if (!task)
		return cli_fail(-EPROTO, NULL);
	if (cli->arguments.json) {
		status = cli_print_json(method->reply, reply);
	} else {
		printf("Task %lld, %s\n", (long long) task->id, task->status);
		if (!task->finished_at)
			cli_note(cli, "Follow it: elluminate task watch %lld%s", (long long) task->id,
				 cli_same_daemon(&cli->arguments));
	}
	if (status == 0 && strcmp(task->status, "REJECTED") == 0) {
		cli_error("%s", task->error ? task->error->message : "rejected");
		status = EXIT_TASK_REJECTED;
	}
	return status;
}

static int submit_detached(struct cli *cli, const struct submission *submission)
{
	const struct ellu_error *error;
	const void *reply;
	int status, r = ellu_call_method(cli->daemon, submission->method->qualified_name,
					 submission->request, &reply, &error);

	if (r < 0)
		return submit_fail(cli, submission->may_be_outrun, r, error);
	status = print_detached(cli, submission->method, reply);
	ellu_free(reply);
	return status;
}

/* ---- Seen through ---- */

static bool is_below(const struct arguments *arguments, const struct ellu_experiment *experiment)
{
	const double *rate = experiment->results ? experiment->results->success_rate->value : NULL;

	return arguments->fail_under >= 0 && (!rate || *rate < arguments->fail_under);
}

static void tell_failed(struct cli *cli, const struct ellu_experiment *experiment)
{
	const struct ellu_experiment_results *results = experiment->results;

	if (results && results->failed_responses + results->failed_ratings > 0)
		cli_note(cli, "Ask again for what failed: elluminate experiment retry-failed %lld%s",
			 (long long) experiment->id, cli_same_daemon(&cli->arguments));
}

static int print_results(struct cli *cli, const struct follow *follow)
{
	struct ellu_ref ref = ELLU_RECORD(struct ellu_ref);
	const struct ellu_get_experiment_reply *reply;
	int status;

	ref.id = &follow->experiment_id;
	status = cli_get_experiment(cli, &ref, &reply);
	if (status != 0)
		return status;
	if (cli->arguments.json)
		status = cli_print_json(&ellu_get_experiment_reply_type, reply);
	else if (reply->experiment->results || strcmp(follow->status, "SUCCESS") == 0)
		results_print(stdout, reply->experiment, cli->color);
	tell_failed(cli, reply->experiment);
	if (status == 0 && is_below(&cli->arguments, reply->experiment)) {
		cli_note(cli, reply->experiment->results &&
				      reply->experiment->results->success_rate->value
				      ? "The success rate is below %.4g %%."
				      : "Nothing was decided: no success rate is at least %.4g %%.",
			 cli->arguments.fail_under * 100);
		status = EXIT_BELOW;
	}
	ellu_free(reply);
	return status;
}

static void column_rating(struct table *table, const void *item)
{
	const struct ellu_rating *rating = item;

	table_text(table, rating->rating ? rating->rating : rating->error ? "failed" : "-");
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
	status = call_list(cli, &list, request, 0);
	if (status == 0 && results && !cli->arguments.json)
		results_print_ratings(stdout, results, cli->color);
	return status;
}

static int print_outcome(struct cli *cli, const struct submission *submission,
			 const struct follow *follow)
{
	const struct ellu_rating_results *ratings = follow->result ? follow->result->ratings : NULL;

	if ((submission->verdicts || ratings) && follow->task_id > 0)
		return print_verdicts(cli, follow->task_id, ratings);
	return follow->experiment_id > 0 ? print_results(cli, follow) : 0;
}

/* Why a task did not succeed, and what to do. */
static void tell_end(struct cli *cli, const struct submission *submission,
		     const struct follow *follow)
{
	if (strcmp(follow->status, "SUCCESS") == 0)
		return;
	cli_error("task %lld: %s%s%s", (long long) follow->task_id, follow->status,
		  follow->error ? ": " : "", follow->error ? follow->error : "");
	if (follow->interrupted && submission->again)
		cli_note(cli, "What was recorded is kept. Continue: %s",
			 submission->again);
	else if (follow->interrupted)
		cli_note(cli, "What was recorded is kept. Continue: elluminate task retry %lld%s",
			 (long long) follow->task_id, cli_same_daemon(&cli->arguments));
}

static int submit_attached(struct cli *cli, const struct submission *submission)
{
	struct follow run = { .cli = cli,
			      .method = submission->method,
			      .request = submission->request,
			      .started = true,
			      .may_be_outrun = submission->may_be_outrun };
	int outcome, status = follow(&run);

	if (status == 0) {
		status = cli_task_exit_status(run.status);
		tell_end(cli, submission, &run);
		outcome = print_outcome(cli, submission, &run);
		status = status ? status : outcome;
	}
	follow_done(&run);
	return status;
}

int submit(struct cli *cli, const struct submission *submission)
{
	return options_given(&cli->arguments, "detach") ? submit_detached(cli, submission)
				     : submit_attached(cli, submission);
}
