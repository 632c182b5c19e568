/* elluminate task cancel, pause, resume, tune, retry and prune; elluminate drain. */
#include <stdio.h>

#include "client/cli/cli.h"
#include "client/cli/submit.h"
#include "client/cli/table.h"
#include "client/cli/task_call.h"
#include "proto/generated/interface.h"
#include "proto/money.h"

static void print_state(const struct ellu_task *task)
{
	printf("Task %lld is %s%s%s.\n", (long long) task->id, task->status,
	       task->hold ? ", on hold: " : "", task->hold ? task->hold : "");
}

int command_task_cancel(struct cli *cli)
{
	struct ellu_cancel_task_request request = ELLU_RECORD(struct ellu_cancel_task_request);

	return task_call(cli, &method_cancel_task, &request, &request.id, print_state);
}

int command_task_pause(struct cli *cli)
{
	struct ellu_pause_task_request request = ELLU_RECORD(struct ellu_pause_task_request);

	return task_call(cli, &method_pause_task, &request, &request.id, print_state);
}

int command_task_resume(struct cli *cli)
{
	struct ellu_resume_task_request request = ELLU_RECORD(struct ellu_resume_task_request);

	return task_call(cli, &method_resume_task, &request, &request.id, print_state);
}

static void print_settings(const struct ellu_task *task)
{
	char money[MONEY_TEXT_SIZE];

	print_state(task);
	printf("Priority %s", task->priority);
	if (task->max_connections)
		printf(", at most %lld connections", (long long) *task->max_connections);
	if (task->cost_limit) {
		money_format(*task->cost_limit, money);
		printf(", cost limit $%s", money);
	}
	puts(".");
}

int command_task_tune(struct cli *cli)
{
	struct ellu_tune_task_request request = ELLU_RECORD(struct ellu_tune_task_request);
	const struct arguments *arguments = &cli->arguments;

	request.priority = arguments->priority;
	request.max_connections = cli_given(&arguments->max_connections);
	request.cost_limit = cli_given(&arguments->cost_limit);
	if (!request.priority && !request.max_connections && !request.cost_limit) {
		cli_error("task tune: expected --priority, --max-connections or --cost-limit");
		return EXIT_USAGE;
	}
	return task_call(cli, &method_tune_task, &request, &request.id, print_settings);
}

int command_task_retry(struct cli *cli)
{
	struct ellu_retry_task_request request = ELLU_RECORD(struct ellu_retry_task_request);
	const struct arguments *arguments = &cli->arguments;
	int status;

	if (!cli_parse_id(arguments->operands[0], &request.id))
		return EXIT_USAGE;
	status = cli_connect(cli);
	if (status != 0)
		return status;
	request.priority = arguments->priority;
	request.time_limit_seconds = cli_given_seconds(&arguments->time_limit);
	request.cost_limit = cli_given(&arguments->cost_limit);
	request.detach = cli_given_flag(arguments->detach);
	return submit(cli, &(struct submission){ .method = &method_retry_task,
						 .request = &request });
}

int command_task_prune(struct cli *cli)
{
	struct ellu_prune_tasks_request request = ELLU_RECORD(struct ellu_prune_tasks_request);
	const struct ellu_prune_tasks_reply *reply;
	const struct ellu_error *error;
	char tasks[32], lines[32];
	int r, status = cli_connect(cli);

	if (status != 0)
		return status;
	request.older_than_seconds = cli_given_seconds(&cli->arguments.older_than);
	r = ellu_prune_tasks(cli->daemon, &request, &reply, &error);
	if (r < 0)
		return cli_fail(r, error);
	if (cli->arguments.json)
		status = cli_print_json(&ellu_prune_tasks_reply_type, reply);
	else
		printf("Removed %s lines of the logs of %s tasks.\n",
		       number_text(lines, reply->lines), number_text(tasks, reply->tasks));
	ellu_free(reply);
	return status;
}

int command_drain(struct cli *cli)
{
	struct ellu_drain_request request = ELLU_RECORD(struct ellu_drain_request);
	const struct ellu_drain_reply *reply;
	const struct ellu_error *error;
	int r, status = cli_connect(cli);

	if (status != 0)
		return status;
	request.undo = cli_given_flag(cli->arguments.undo);
	r = ellu_drain(cli->daemon, &request, &reply, &error);
	if (r < 0)
		return cli_fail(r, error);
	if (cli->arguments.json)
		status = cli_print_json(&ellu_drain_reply_type, reply);
	else
		puts(cli->arguments.undo ? "Tasks are started again."
					 : "Nothing runs any more. Start tasks again: elluminate "
					   "drain --undo");
	ellu_free(reply);
	return status;
}
