#include "client/cli/tasks/submit.h"

#include <stdio.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/tasks/outcome.h"
#include "client/cli/view/output.h"
#include "proto/task_status.h"

static int print_detached(struct cli *cli, const struct method *method, const void *reply)
{
	const struct ellu_task *task = record_member(method->reply, reply, "task");
	int status = 0;

	if (!task)
		return outcome_print_present(method->reply, reply);
	if (output_is_json()) {
		status = cli_print_json(method->reply, reply);
	} else if (cli->arguments.quiet) {
		printf("%lld\n", (long long) task->id);
	} else {
		printf("Task %lld, %s\n", (long long) task->id, task->status);
		if (!task->finished_at)
			cli_note(cli, "Follow it: elluminate task watch %lld%s", (long long) task->id,
				 cli_same_daemon(&cli->arguments));
	}
	if (status == 0 && strcmp(task->status, "REJECTED") == 0) {
		cli_error("%s", task->error ? task->error->message : "rejected");
		status = task_status_exit(TASK_REJECTED);
	}
	return status;
}

int submit_detached(struct cli *cli, const struct submission *submission)
{
	const struct ellu_error *error;
	const void *reply;
	int status, r = ellu_call_method(cli->daemon, submission->method->qualified_name,
					 submission->request, &reply, &error);

	if (r < 0)
		return follow_refused(cli, submission, r, error);
	status = print_detached(cli, submission->method, reply);
	ellu_free(reply);
	return status;
}

static int submit_attached(struct cli *cli, const struct submission *submission)
{
	struct follow run = { .cli = cli, .submission = submission, .started = true };
	int outcome, status = follow(&run);

	if (status == 0) {
		status = cli_task_exit_status(run.status);
		follow_end_line(&run);
		follow_tell_end(&run);
		outcome = outcome_print(cli, &run);
		status = status ? status : outcome;
	}
	follow_done(&run);
	return status;
}

int submission_send(struct cli *cli, const struct submission *submission)
{
	return options_given(&cli->arguments, "detach") ? submit_detached(cli, submission)
				     : submit_attached(cli, submission);
}

int submit_request(struct cli *cli, struct submission *submission, json_object *json)
{
	struct arena arena;
	void *request;
	int status;

	arena_init(&arena);
	status = call_request(cli, submission->method, json, &arena, &request);
	if (status == 0)
		status = cli_connect(cli);
	if (status == 0) {
		submission->request = request;
		status = submission_send(cli, submission);
	}
	arena_done(&arena);
	return status;
}

int command_submit(struct cli *cli)
{
	struct submission task = { .method = method_named(cli->command->method) };

	/* A task of the moment is always cancelled then. */
	task.is_lost = !record_field_find(task.method->request, "cancel_on_disconnect");
	return submit_request(cli, &task, NULL);
}
