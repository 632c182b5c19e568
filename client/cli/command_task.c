/* elluminate task list, show, watch and logs. */
#include <stdio.h>

#include "client/cli/cli.h"
#include "client/cli/follow.h"
#include "client/cli/listing.h"
#include "client/cli/live_view.h"
#include "client/cli/table.h"
#include "client/cli/task_call.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/money.h"

/* ---- list ---- */

LISTING_NEXT(list_tasks)

static void add_task(struct table *table, const void *item)
{
	const struct ellu_task *task = item;
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
	table_text(table, task->kind);
	table_text(table, task->name);
}

int command_task_list(struct cli *cli)
{
	static const char *const titles[] = { ">ID",	  "STATUS", ">DONE", "CREATED",
					      ">RUNNING", "KIND",   "NAME",  NULL };
	static const struct listing listing = { .type = &ellu_task_type,
						.titles = titles,
						.add = add_task,
						.next = list_tasks_next };
	struct ellu_list_tasks_request request = ELLU_RECORD(struct ellu_list_tasks_request);
	int64_t wanted = cli->arguments.limit > 0 ? cli->arguments.limit : PAGE_DEFAULT;
	int64_t page = listing_page_limit(wanted);
	struct ellu_stream *stream;
	int r, status = cli_connect(cli);

	if (status != 0)
		return status;
	request.project = cli->arguments.project;
	request.status = cli->arguments.status;
	request.kind = cli->arguments.kind;
	request.since = cli_given(&cli->arguments.since);
	request.limit = &page;
	r = ellu_list_tasks_stream(cli->daemon, &request, &stream);
	if (r < 0)
		return cli_fail(r, NULL);
	return listing_print(cli, &listing, stream, wanted);
}

/* ---- show ---- */

static void print_field(const char *name, const char *value)
{
	if (!value)
		return;
	printf("%-12s ", name);
	text_print(stdout, value);
	putchar('\n');
}

static void print_number(const char *name, const int64_t *value)
{
	if (value)
		printf("%-12s %lld\n", name, (long long) *value);
}

static void print_time(const char *name, const int64_t *usec)
{
	char text[32];

	if (usec)
		print_field(name, time_local_text(text, *usec));
}

static void print_money(const char *name, const int64_t *nanodollars)
{
	char text[MONEY_TEXT_SIZE];

	if (!nanodollars)
		return;
	money_format(*nanodollars, text);
	printf("%-12s $%s\n", name, text);
}

static void print_progress(const struct ellu_progress *progress)
{
	char a[32], b[32], c[32], d[32];

	printf("%-12s %.1f %%: %s of %s answered, %s rated, %s failed\n", "Progress",
	       progress->percent_complete, number_text(a, progress->responses_generated),
	       number_text(b, progress->total_responses), number_text(c, progress->responses_rated),
	       number_text(d, progress->failed));
	printf("%-12s %s in, %s out\n", "Tokens", number_text(a, progress->input_tokens),
	       number_text(b, progress->output_tokens));
	print_money("Cost", progress->cost);
}

static void print_task(const struct ellu_task *task)
{
	char running[32], limit[32];

	print_number("Task", &task->id);
	print_field("Kind", task->kind);
	print_field("Name", task->name);
	print_field("Status", task->status);
	print_field("On hold", task->hold);
	print_field("Error", task->error ? task->error->message : NULL);
	print_number("Experiment", task->experiment_id);
	print_number("Retry of", task->retry_of);
	print_field("Project", task->project);
	print_field("Priority", task->priority);
	print_number("Connections", task->max_connections);
	print_money("Cost limit", task->cost_limit);
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

	return task_call(cli, &method_get_task, &request, &request.id, print_task);
}

/* ---- watch ---- */

static int watch_one(struct cli *cli)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	struct follow watch = { .cli = cli, .method = &method_watch_task, .request = &request };
	int status;

	if (!cli_parse_id(cli->arguments.operands[0], &request.id))
		return EXIT_USAGE;
	status = cli_connect(cli);
	if (status != 0)
		return status;
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

int command_task_watch(struct cli *cli)
{
	if (cli->arguments.n_operands > 0)
		return watch_one(cli);
	if (cli->arguments.json || !live_view_possible())
		return command_monitor(cli);
	return live_view(cli);
}

/* ---- logs ---- */

LISTING_NEXT(list_task_logs)

static void print_line(const void *item)
{
	const struct ellu_task_log *log = item;

	text_print(stdout, log->line);
	putchar('\n');
}

int command_task_logs(struct cli *cli)
{
	static const struct listing listing = { .type = &ellu_task_log_type,
						.print = print_line,
						.next = list_task_logs_next };
	struct ellu_list_task_logs_request request = ELLU_RECORD(struct ellu_list_task_logs_request);
	const int64_t limit = PAGE_MAX;
	struct ellu_stream *stream;
	int r, status;

	if (!cli_parse_id(cli->arguments.operands[0], &request.id))
		return EXIT_USAGE;
	status = cli_connect(cli);
	if (status != 0)
		return status;
	request.after = cli_given(&cli->arguments.after);
	request.limit = &limit;
	r = ellu_list_task_logs_stream(cli->daemon, &request, &stream);
	if (r < 0)
		return cli_fail(r, NULL);
	return listing_print(cli, &listing, stream, INTEGER_MAX);
}
