/* SPDX-License-Identifier: MIT */
/* elluminate run FILE. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/collection_sync.h"
#include "client/cli/dry_run.h"
#include "client/cli/experiment_file.h"
#include "client/cli/follow.h"
#include "client/cli/results.h"
#include "client/cli/table.h"
#include "proto/generated/interface.h"

static int apply_arguments(struct experiment_file *file, const struct arguments *arguments)
{
	int r = experiment_file_set(file, "update_existing", json_object_new_boolean(true));

	if (r == 0 && arguments->project)
		r = experiment_file_set(file, "project",
					json_object_new_string(arguments->project));
	if (r == 0 && arguments->run_afresh)
		r = experiment_file_set(file, "run_afresh", json_object_new_boolean(true));
	if (r == 0 && arguments->detach)
		r = experiment_file_set(file, "detach", json_object_new_boolean(true));
	if (r == 0 && arguments->limit > 0)
		r = experiment_file_set(file, "row_limit",
					json_object_new_int64(arguments->limit));
	if (r == 0 && arguments->epochs > 0)
		r = experiment_file_set(file, "n_epochs",
					json_object_new_int64(arguments->epochs));
	if (r == 0 && arguments->max_connections > 0)
		r = experiment_file_set_generation(
			file, "max_connections",
			json_object_new_int64(arguments->max_connections));
	return r;
}

/* ---- Running ---- */

static int next_reply(struct ellu_stream *stream, const void **ret_reply,
		      const struct ellu_task_event **ret_event, const struct ellu_task **ret_task,
		      const struct ellu_error **ret_error)
{
	const struct ellu_run_experiment_reply *reply;
	int r = ellu_run_experiment_next(stream, &reply, ret_error);

	if (r <= 0)
		return r;
	*ret_reply = reply;
	*ret_event = reply->event;
	*ret_task = reply->task;
	return r;
}

static int run_detached(struct cli *cli, const struct ellu_run_experiment_request *request)
{
	const struct ellu_run_experiment_reply *reply;
	const struct ellu_error *error;
	int status = 0, r = ellu_run_experiment(cli->daemon, request, &reply, &error);

	if (r < 0)
		return cli_fail(r, error);
	if (!reply->task) {
		status = cli_fail(-EPROTO, NULL);
	} else if (cli->arguments.json) {
		status = cli_print_json(&ellu_run_experiment_reply_type, reply);
	} else {
		printf("Task %lld, %s\n", (long long) reply->task->id, reply->task->status);
		if (!reply->task->finished_at)
			cli_note(cli, "Follow it: elluminate task watch %lld",
				 (long long) reply->task->id);
	}
	if (status == 0 && reply->task && strcmp(reply->task->status, "REJECTED") == 0) {
		cli_error("%s", reply->task->error ? reply->task->error->message : "rejected");
		status = EXIT_TASK_REJECTED;
	}
	ellu_free(reply);
	return status;
}

static int get_experiment(struct cli *cli, int64_t id,
			  const struct ellu_get_experiment_reply **ret_reply)
{
	struct ellu_get_experiment_request request = ELLU_RECORD(struct ellu_get_experiment_request);
	struct ellu_ref ref = ELLU_RECORD(struct ellu_ref);
	const struct ellu_error *error;
	int r;

	ref.id = &id;
	request.project = cli->arguments.project;
	request.experiment = &ref;
	r = ellu_get_experiment(cli->daemon, &request, ret_reply, &error);
	return r < 0 ? cli_fail(r, error) : 0;
}

static bool is_below(const struct arguments *arguments, const struct ellu_experiment *experiment)
{
	const double *rate = experiment->results ? experiment->results->success_rate->value : NULL;

	return arguments->fail_under >= 0 && (!rate || *rate < arguments->fail_under);
}

static int print_outcome(struct cli *cli, const struct follow *follow)
{
	const struct ellu_get_experiment_reply *reply;
	int status;

	if (follow->experiment_id == 0)
		return 0;
	status = get_experiment(cli, follow->experiment_id, &reply);
	if (status != 0)
		return status;
	if (cli->arguments.json)
		status = cli_print_json(&ellu_get_experiment_reply_type, reply);
	else if (reply->experiment->results || strcmp(follow->status, "SUCCESS") == 0)
		results_print(stdout, reply->experiment, cli->color);
	if (status == 0 && is_below(&cli->arguments, reply->experiment)) {
		cli_note(cli, "The success rate is below %.4g %%.",
			 cli->arguments.fail_under * 100);
		status = EXIT_BELOW;
	}
	ellu_free(reply);
	return status;
}

/* Why a task did not succeed, and what to do. */
static void tell_end(struct cli *cli, const struct follow *follow)
{
	if (strcmp(follow->status, "SUCCESS") == 0)
		return;
	cli_error("task %lld: %s%s%s", (long long) follow->task_id, follow->status,
		  follow->error ? ": " : "", follow->error ? follow->error : "");
	if (follow->interrupted)
		cli_note(cli, "What was recorded is kept. Continue: elluminate run %s",
			 cli->arguments.operands[0]);
}

static int run_attached(struct cli *cli, const struct ellu_run_experiment_request *request)
{
	struct follow run = { .cli = cli, .next = next_reply, .cancel_on_interrupt = true };
	int status, outcome, r = ellu_run_experiment_stream(cli->daemon, request, &run.stream);

	if (r < 0)
		return cli_fail(r, NULL);
	status = follow(&run);
	if (status == 0) {
		status = cli_task_exit_status(run.status);
		tell_end(cli, &run);
		outcome = print_outcome(cli, &run);
		status = status ? status : outcome;
	}
	follow_done(&run);
	return status;
}

/* ---- The command ---- */

static int run_file(struct cli *cli, struct experiment_file *file)
{
	const struct ellu_run_experiment_request *request;
	const struct ellu_collection *collection;
	struct complaint complaint;
	struct arena arena;
	int status, r;

	arena_init(&arena);
	r = experiment_file_request(file, &arena, &request, &collection, &complaint);
	if (r < 0) {
		cli_error("%s", complaint.text);
		arena_done(&arena);
		return ellu_error_exit_status(r);
	}
	for (size_t i = 0; i < sizeof(file->notes) / sizeof(file->notes[0]); i++)
		if (file->notes[i][0])
			cli_note(cli, "%s", file->notes[i]);
	if (cli->arguments.dry_run) {
		status = dry_run(cli, request, file->rows);
	} else {
		status = cli_connect(cli);
		if (status == 0 && collection)
			status = collection_sync(cli, collection, file->rows);
		if (status == 0)
			status = cli->arguments.detach ? run_detached(cli, request)
						       : run_attached(cli, request);
	}
	arena_done(&arena);
	return status;
}

int command_run(struct cli *cli)
{
	struct experiment_file file;
	struct complaint complaint;
	int status;

	if (cli->arguments.detach && cli->arguments.fail_under >= 0) {
		cli_error("--detach and --fail-under exclude each other");
		return EXIT_USAGE;
	}
	if (experiment_file_load(cli->arguments.operands[0], &file, &complaint) < 0) {
		cli_error("%s", complaint.text);
		return EXIT_USAGE;
	}
	if (apply_arguments(&file, &cli->arguments) < 0)
		status = cli_fail(-ENOMEM, NULL);
	else
		status = run_file(cli, &file);
	experiment_file_done(&file);
	return status;
}
