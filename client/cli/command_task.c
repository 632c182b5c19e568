/* SPDX-License-Identifier: MIT */
/* elluminate task …. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/follow.h"
#include "client/cli/table.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/money.h"

/* ---- list ---- */

static void add_task(struct table *table, const struct ellu_task *task)
{
	char duration[32];

	table_printf(table, "%lld", (long long) task->id);
	table_printf(table, "%s%s%s%s", task->status, task->hold ? " (" : "",
		     task->hold ? task->hold : "", task->hold ? ")" : "");
	if (task->progress)
		table_printf(table, "%.0f %%", task->progress->percent_complete);
	else
		table_text(table, "");
	table_time(table, task->created_at);
	table_text(table, duration_text(duration, task->running_seconds));
	table_text(table, task->name);
}

int command_task_list(struct cli *cli)
{
	static const char *const titles[] = { ">ID",	  "STATUS", ">DONE", "CREATED",
					      ">RUNNING", "NAME",   NULL };
	struct ellu_list_tasks_request request = ELLU_RECORD(struct ellu_list_tasks_request);
	int64_t left = cli->arguments.limit > 0 ? cli->arguments.limit : PAGE_DEFAULT, limit;
	const struct ellu_list_tasks_reply *page = NULL;
	const struct ellu_error *error;
	struct table *table;
	bool first = true;
	int status = cli_connect(cli);

	if (status != 0)
		return status;
	table = table_new(titles);
	request.project = cli->arguments.project;
	request.status = cli->arguments.status;
	request.limit = &limit;
	do {
		const struct ellu_list_tasks_reply *before = page;
		int r;

		limit = left < PAGE_MAX ? left : PAGE_MAX;
		r = ellu_list_tasks(cli->daemon, &request, &page, &error);
		ellu_free(before);
		if (r < 0) {
			table_free(table);
			return cli_fail(r, error);
		}
		for (size_t i = 0; status == 0 && i < page->n_items; i++)
			if (cli->arguments.json)
				status = cli_print_item(&ellu_task_type, page->items[i], &first);
			else
				add_task(table, page->items[i]);
		left -= (int64_t) page->n_items;
		request.cursor = page->next_cursor;
	} while (status == 0 && left > 0 && page->next_cursor && page->n_items > 0);
	if (cli->arguments.json)
		cli_end_items(first);
	else
		table_print(table, stdout, cli->color);
	ellu_free(page);
	table_free(table);
	return status;
}

/* ---- show, cancel ---- */

static void print_field(const char *name, const char *value)
{
	printf("%-12s ", name);
	text_print(stdout, value);
	putchar('\n');
}

static void print_time(const char *name, const int64_t *usec)
{
	char text[32];

	if (usec)
		print_field(name, time_local_text(text, *usec));
}

static void print_progress(const struct ellu_progress *progress)
{
	char a[32], b[32], c[32], d[32], money[MONEY_TEXT_SIZE];

	printf("%-12s %.1f %%: %s of %s answered, %s rated, %s failed\n", "Progress",
	       progress->percent_complete, number_text(a, progress->responses_generated),
	       number_text(b, progress->total_responses), number_text(c, progress->responses_rated),
	       number_text(d, progress->failed));
	printf("%-12s %s in, %s out\n", "Tokens", number_text(a, progress->input_tokens),
	       number_text(b, progress->output_tokens));
	if (progress->cost) {
		money_format(*progress->cost, money);
		printf("%-12s $%s\n", "Cost", money);
	}
}

static void print_task(const struct ellu_task *task)
{
	char running[32], limit[32];

	printf("%-12s %lld\n", "Task", (long long) task->id);
	print_field("Name", task->name);
	print_field("Status", task->status);
	if (task->hold)
		print_field("On hold", task->hold);
	if (task->error)
		print_field("Error", task->error->message);
	if (task->experiment_id)
		printf("%-12s %lld\n", "Experiment", (long long) *task->experiment_id);
	print_field("Project", task->project);
	print_field("Priority", task->priority);
	print_time("Created", &task->created_at);
	print_time("Started", task->started_at);
	print_time("Finished", task->finished_at);
	printf("%-12s %s of %s\n", "Running", duration_text(running, task->running_seconds),
	       duration_text(limit, task->time_limit_seconds));
	if (task->progress)
		print_progress(task->progress);
}

int command_task_show(struct cli *cli)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
	const struct ellu_get_task_reply *reply;
	const struct ellu_error *error;
	int r, status;

	if (!cli_parse_id(cli->arguments.operands[0], &request.id))
		return EXIT_USAGE;
	status = cli_connect(cli);
	if (status != 0)
		return status;
	r = ellu_get_task(cli->daemon, &request, &reply, &error);
	if (r < 0)
		return cli_fail(r, error);
	if (cli->arguments.json)
		status = cli_print_json(&ellu_get_task_reply_type, reply);
	else
		print_task(reply->task);
	ellu_free(reply);
	return status;
}

int command_task_cancel(struct cli *cli)
{
	struct ellu_cancel_task_request request = ELLU_RECORD(struct ellu_cancel_task_request);
	const struct ellu_cancel_task_reply *reply;
	const struct ellu_error *error;
	int r, status;

	if (!cli_parse_id(cli->arguments.operands[0], &request.id))
		return EXIT_USAGE;
	status = cli_connect(cli);
	if (status != 0)
		return status;
	r = ellu_cancel_task(cli->daemon, &request, &reply, &error);
	if (r < 0)
		return cli_fail(r, error);
	if (cli->arguments.json)
		status = cli_print_json(&ellu_cancel_task_reply_type, reply);
	else
		printf("Task %lld is %s.\n", (long long) reply->task->id, reply->task->status);
	ellu_free(reply);
	return status;
}

/* ---- watch, logs ---- */

static int next_reply(struct ellu_stream *stream, const void **ret_reply,
		      const struct ellu_task_event **ret_event, const struct ellu_task **ret_task,
		      const struct ellu_error **ret_error)
{
	const struct ellu_watch_task_reply *reply;
	int r = ellu_watch_task_next(stream, &reply, ret_error);

	if (r <= 0)
		return r;
	*ret_reply = reply;
	*ret_event = reply->event;
	*ret_task = reply->task;
	return r;
}

int command_task_watch(struct cli *cli)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	struct follow watch = { .cli = cli, .next = next_reply };
	int r, status;

	if (!cli_parse_id(cli->arguments.operands[0], &request.id))
		return EXIT_USAGE;
	status = cli_connect(cli);
	if (status != 0)
		return status;
	r = ellu_watch_task_stream(cli->daemon, &request, &watch.stream);
	if (r < 0)
		return cli_fail(r, NULL);
	status = follow(&watch);
	if (status == 0) {
		if (!cli->arguments.json)
			printf("Task %lld is %s.\n", (long long) request.id, watch.status);
		if (watch.error)
			cli_error("%s", watch.error);
		status = cli_task_exit_status(watch.status);
	}
	follow_done(&watch);
	return status;
}

static int print_lines(const struct cli *cli, const struct ellu_list_task_logs_reply *page,
		       bool *first)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < page->n_items; i++) {
		if (cli->arguments.json) {
			status = cli_print_item(&ellu_task_log_type, page->items[i], first);
		} else {
			text_print(stdout, page->items[i]->line);
			putchar('\n');
		}
	}
	return status;
}

int command_task_logs(struct cli *cli)
{
	struct ellu_list_task_logs_request request = ELLU_RECORD(struct ellu_list_task_logs_request);
	const struct ellu_list_task_logs_reply *page;
	const struct ellu_error *error = NULL;
	const int64_t limit = PAGE_MAX;
	struct ellu_stream *stream;
	bool first = true;
	int r, status;

	if (!cli_parse_id(cli->arguments.operands[0], &request.id))
		return EXIT_USAGE;
	status = cli_connect(cli);
	if (status != 0)
		return status;
	if (cli->arguments.after >= 0)
		request.after = &cli->arguments.after;
	request.limit = &limit;
	r = ellu_list_task_logs_stream(cli->daemon, &request, &stream);
	if (r < 0)
		return cli_fail(r, NULL);
	while (status == 0 && (r = ellu_list_task_logs_next(stream, &page, &error)) > 0) {
		status = print_lines(cli, page, &first);
		ellu_free(page);
	}
	ellu_stream_close(stream);
	if (r < 0)
		return cli_fail(r, error);
	if (cli->arguments.json)
		cli_end_items(first);
	return status;
}
