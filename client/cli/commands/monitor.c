/* elluminate monitor, and elluminate task watch where there is no terminal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/interrupt.h"
#include "client/cli/view/progress_bar.h"
#include "client/cli/view/task_board.h"
#include "client/cli/view/text.h"
#include "proto/generated/interface.h"

struct monitor {
	struct cli *cli;
	struct task_board board; // for the names of tasks
	char *cursor; // to go on with, or NULL
};

/* ---- Lines ---- */

static void print_line(int64_t at, const struct ellu_monitor_reply *reply, const char *name,
		       const char *what, size_t size)
{
	int64_t id = reply->event ? reply->event->task_id : reply->task->id;
	char time[32];

	printf("%s  %lld  ", time_local_text(time, at), (long long) id);
	text_print(stdout, name);
	printf("  ");
	for (char *text = strndup(what, size); text; free(text), text = NULL) {
		text_flatten(text);
		text_print(stdout, text);
	}
	putchar('\n');
}

static void print_state(int64_t at, const struct ellu_monitor_reply *reply, const char *name,
			const char *status, const char *hold, const struct ellu_progress *progress,
			const struct ellu_error *error)
{
	char words[512], what[2048];

	snprintf(what, sizeof(what), "%s%s%s%s%s%s%.1400s", status, hold ? ", on hold: " : "",
		 hold ? hold : "", progress ? ", " : "",
		 progress ? progress_text(words, sizeof(words), progress, status, NULL) : "",
		 error ? ": " : "", error ? error->message : "");
	print_line(at, reply, name, what, strlen(what));
}

/* Each line of the log, then the state, unless it is as it was, as behind what a task is shown as. */
static void print_event(const struct ellu_monitor_reply *reply, const struct board_task *known)
{
	const struct ellu_task_event *event = reply->event;

	for (const char *line = event->logs_delta; line && *line;) {
		size_t size = strcspn(line, "\n");

		print_line(event->at, reply, known->name, line, size);
		line += size + (line[size] == '\n');
	}
	if (known->changed)
		print_state(event->at, reply, known->name, event->status, event->hold, event->progress,
			    event->error);
}

static int print_reply(struct monitor *monitor, const struct ellu_monitor_reply *reply)
{
	const struct ellu_task *task = reply->task;
	struct board_task *known;
	int r;

	if (monitor->cli->arguments.json)
		return cli_print_json(&ellu_monitor_reply_type, reply);
	if (!task && !reply->event)
		return 0;
	r = task_board_take(&monitor->board, reply, 0, &known);
	if (r < 0)
		return cli_fail(r, NULL);
	if (task)
		print_state(task->finished_at  ? *task->finished_at
			    : task->started_at ? *task->started_at
					       : task->created_at,
			    reply, known->name, task->status, task->hold, task->progress,
			    task->error);
	else
		print_event(reply, known);
	if (reply->event && known->ended)
		task_board_forget(&monitor->board, known->id);
	return output_flush();
}

/* ---- The stream ---- */

static int take(struct monitor *monitor, const struct ellu_monitor_reply *reply)
{
	char *cursor = reply->cursor ? strdup(reply->cursor) : NULL;

	if (cursor) {
		free(monitor->cursor);
		monitor->cursor = cursor;
	}
	return print_reply(monitor, reply);
}

/* Until Ctrl-C, which is success. */
static int run(struct monitor *monitor, struct ellu_stream *stream)
{
	const struct ellu_monitor_reply *reply;
	const struct ellu_error *error = NULL;
	int r, status = 0;

	while (status == 0) {
		r = interrupt_wait(monitor->cli, stream);
		if (r == -EINTR)
			return 0;
		if (r > 0)
			r = ellu_monitor_next(stream, &reply, &error);
		if (r <= 0)
			return cli_fail_request(monitor->cli, r == 0 ? -ECONNRESET : r, error);
		status = take(monitor, reply);
		ellu_free(reply);
	}
	return status;
}

int command_monitor(struct cli *cli)
{
	struct ellu_monitor_request request = ELLU_RECORD(struct ellu_monitor_request);
	struct monitor monitor = { .cli = cli };
	struct ellu_stream *stream;
	int r, status = cli_connect(cli);

	if (status != 0)
		return status;
	request.cursor = options_given(&cli->arguments, "cursor");
	r = ellu_monitor_stream(cli->daemon, &request, &stream, NULL);
	if (r < 0)
		return cli_fail(r, NULL);
	interrupt_catch();
	status = run(&monitor, stream);
	interrupt_release();
	ellu_stream_close(stream);
	if (monitor.cursor)
		cli_note(cli, "Go on from here: elluminate monitor --cursor %s%s", monitor.cursor,
			 cli_same_daemon(&cli->arguments));
	free(monitor.cursor);
	task_board_done(&monitor.board);
	return status;
}
