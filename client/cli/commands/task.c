/* What the commands of tasks say. */
#include <stdio.h>
#include <stdlib.h>

#include "client/cli/call.h"
#include "client/cli/commands/live_view.h"
#include "client/cli/tasks/follow.h"
#include "client/cli/tasks/outcome.h"
#include "client/cli/view/output.h"
#include "client/cli/view/text.h"
#include "proto/generated/interface.h"
#include "proto/text/money.h"
#include "proto/text/plural.h"

void column_status(struct table *table, const void *item)
{
	const struct ellu_task *task = item;

	table_printf(table, "%s%s%s%s", task->status, task->hold ? " (" : "", task->hold ? task->hold : "",
		     task->hold ? ")" : "");
	table_mark(table, task->hold ? MEANING_WARNING : meaning_of_status(task->status));
}

/* All replies of the methods that change a task are alike. */
void print_task_state(const struct cli *cli, const void *reply)
{
	const struct ellu_task *task = record_member(method_named(cli->command->method)->reply, reply, "task");

	printf("Task %lld is %s%s%s.\n", (long long) task->id, task->status,
	       task->hold ? ", on hold: " : "", task->hold ? task->hold : "");
}

void print_task_settings(const struct cli *cli, const void *reply)
{
	const struct ellu_task *task = ((const struct ellu_tune_task_reply *) reply)->task;
	char money[MONEY_TEXT_SIZE];

	print_task_state(cli, reply);
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
	if (cli->arguments.n_given > 0)
		return command_call(cli);
	cli_error("task tune: expected --priority, --max-connections or --cost-limit");
	return EXIT_USAGE;
}

int command_task_answer(struct cli *cli)
{
	const struct arguments *arguments = &cli->arguments;
	json_object *json;
	int64_t id;

	if (!cli_is_id(arguments->operands[0], &id)) {
		cli_error("%s: expected the number of a task", arguments->operands[0]);
		return EXIT_USAGE;
	}
	json = json_object_new_object();
	json_object_object_add(json, "task_id", json_object_new_int64(id));
	json_object_object_add(json, "tool_call_id", json_object_new_string(arguments->operands[1]));
	json_object_object_add(json, "content", json_object_new_string(arguments->operands[2]));
	return call_json_and_print(cli, method_named(cli->command->method), json);
}

void print_log_line(const struct cli *cli, const void *item)
{
	(void) cli;
	text_print(stdout, ((const struct ellu_task_log *) item)->line);
	putchar('\n');
}

void print_pruned(const struct cli *cli, const void *reply)
{
	const struct ellu_prune_tasks_reply *pruned = reply;
	char tasks[32], lines[32];

	(void) cli;
	printf("Removed %s line%s of the logs of %s task%s.\n", number_text(lines, pruned->lines),
	       plural_s(pruned->lines), number_text(tasks, pruned->tasks), plural_s(pruned->tasks));
}

void print_drained(const struct cli *cli, const void *reply)
{
	(void) reply;
	puts(options_given(&cli->arguments, "undo") ? "Tasks are started again."
						    : "Nothing runs any more. Start tasks again: "
						      "elluminate drain --undo");
}

/* ---- logs ---- */

static int print_lines(const struct ellu_task_event *event)
{
	if (!event || !event->logs_delta)
		return 0;
	if (output_is_json())
		return cli_print_json(&ellu_task_event_type, event);
	text_print(stdout, event->logs_delta);
	return output_flush();
}

static int follow_logs(struct cli *cli, int64_t id, int64_t after)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	const struct ellu_watch_task_reply *reply;
	const struct ellu_error *error = NULL;
	struct ellu_stream *stream;
	int r, status = cli_connect(cli);

	if (status != 0)
		return status;
	request.id = id;
	request.after_sequence = &after;
	r = ellu_watch_task_stream(cli->daemon, &request, &stream, NULL);
	if (r < 0)
		return cli_fail(r, NULL);
	while (status == 0 && (r = ellu_watch_task_next(stream, &reply, &error)) > 0) {
		status = print_lines(reply->event);
		ellu_free(reply);
	}
	ellu_stream_close(stream);
	return r < 0 ? cli_fail_request(cli, r, error) : status;
}

int command_task_logs(struct cli *cli)
{
	const char *after = options_given(&cli->arguments, "after");
	int64_t id;

	if (!cli->arguments.follow || !cli_is_id(cli->operand, &id))
		return command_list(cli);
	return follow_logs(cli, id, after ? strtoll(after, NULL, 10) : 0);
}

/* ---- watch ---- */

static int watch_one(struct cli *cli)
{
	struct submission task = { .method = method_named(cli->command->method) };
	struct follow watch = { .cli = cli, .submission = &task };
	struct arena arena;
	void *request;
	int status;

	arena_init(&arena);
	status = call_request(cli, task.method, NULL, &arena, &request);
	if (status == 0)
		status = cli_connect(cli);
	if (status == 0) {
		task.request = request;
		status = follow(&watch);
	}
	if (status == 0) {
		if (!output_is_json())
			printf("Task %lld is %s.\n", (long long) watch.task_id, watch.status);
		if (watch.error)
			cli_error("%s", watch.error);
		(void) outcome_print_answer(&watch);
		status = cli_task_exit_status(watch.status);
	}
	follow_done(&watch);
	arena_done(&arena);
	return status;
}

int command_task_watch(struct cli *cli)
{
	if (cli->arguments.n_operands > 0)
		return watch_one(cli);
	if (cli->arguments.json || !live_view_possible())
		return command_monitor(cli);
	return live_view(cli);
}
