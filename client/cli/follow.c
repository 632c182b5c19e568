/* SPDX-License-Identifier: MIT */
#include "client/cli/follow.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/progress_bar.h"
#include "proto/generated/interface.h"
#include "proto/task_status.h"

/* How late a Ctrl-C that comes just before the wait is noticed. */
#define WAIT_SECONDS 0.25

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
	(void) signal_number;
	interrupted = 1;
}

/* The first Ctrl-C is ours, the second ends the process. */
static void catch_interrupt(struct sigaction *ret_before)
{
	struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int) SA_RESETHAND };

	interrupted = 0;
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, ret_before);
}

/* ---- Events ---- */

static void keep_end(struct follow *follow, const char *status, const struct ellu_error *error)
{
	snprintf(follow->status, sizeof(follow->status), "%s", status);
	if (error && !follow->error)
		follow->error = strdup(error->message);
}

static void take_task(struct follow *follow, const struct ellu_task *task)
{
	follow->task_id = task->id;
	if (task->experiment_id)
		follow->experiment_id = *task->experiment_id;
	if (task_status_is_terminal(task_status_from_name(task->status)))
		keep_end(follow, task->status, task->error);
}

static void take_event(struct follow *follow, const void *reply,
		       const struct ellu_task_event *event, struct progress_bar *bar)
{
	follow->task_id = event->task_id;
	if (follow->cli->arguments.json)
		(void) cli_print_json(&ellu_task_event_type, event);
	if (event->progress) {
		ellu_free(follow->kept);
		follow->kept = ellu_keep(reply);
		follow->progress = event->progress;
	}
	if (event->logs_delta)
		progress_bar_log(bar, event->logs_delta);
	if (event->result && event->result->experiment_id)
		follow->experiment_id = *event->result->experiment_id;
	if (task_status_is_terminal(task_status_from_name(event->status)))
		keep_end(follow, event->status, event->error);
	else
		progress_bar_update(bar, follow->progress, event->status, event->hold);
}

/* ---- Ctrl-C ---- */

static int cancel(struct follow *follow)
{
	struct ellu_cancel_task_request request = ELLU_RECORD(struct ellu_cancel_task_request);
	const struct ellu_error *error;
	int r;

	cli_note(follow->cli, "Cancelling; once more to leave at once.");
	request.id = follow->task_id;
	r = ellu_cancel_task(follow->cli->daemon, &request, NULL, &error);
	return r < 0 ? cli_fail(r, error) : 0;
}

/* 0 to go on, else the exit status. */
static int on_interrupted(struct follow *follow, struct progress_bar *bar)
{
	progress_bar_clear(bar);
	interrupted = 0;
	follow->interrupted = true;
	if (follow->cancel_on_interrupt && follow->task_id > 0)
		return cancel(follow);
	if (follow->task_id > 0)
		cli_note(follow->cli,
			 "The task goes on. Follow it again: elluminate task watch %lld",
			 (long long) follow->task_id);
	return EXIT_INTERRUPTED;
}

/* ---- The loop ---- */

static int lost(const struct follow *follow, int r, const struct ellu_error *error)
{
	int status = cli_fail(r, error);

	if (follow->task_id > 0 && (r == -ECONNRESET || r == -EPROTO))
		cli_note(follow->cli,
			 "What was recorded is kept. Follow the task: elluminate task watch %lld",
			 (long long) follow->task_id);
	return status;
}

/* 1 to go on, 0 at the end of the stream, negative: the exit status. */
static int step(struct follow *follow, struct progress_bar *bar)
{
	const struct ellu_error *error = NULL;
	const struct ellu_task_event *event;
	const struct ellu_task *task;
	const void *reply;
	int r = interrupted ? -EINTR : ellu_stream_wait(follow->stream, WAIT_SECONDS);

	if (r == -EINTR && interrupted)
		r = -on_interrupted(follow, bar);
	if (r <= 0)
		return r == 0 || r == -EINTR ? 1 : r;
	r = follow->next(follow->stream, &reply, &event, &task, &error);
	if (r < 0) {
		progress_bar_clear(bar);
		return -lost(follow, r, error);
	}
	if (r == 0)
		return 0;
	if (event)
		take_event(follow, reply, event, bar);
	if (task)
		take_task(follow, task);
	ellu_free(reply);
	return 1;
}

int follow(struct follow *follow)
{
	const struct arguments *arguments = &follow->cli->arguments;
	struct sigaction before;
	struct progress_bar bar;
	int r;

	progress_bar_init(&bar, arguments->quiet || arguments->json, !arguments->no_color);
	catch_interrupt(&before);
	do
		r = step(follow, &bar);
	while (r > 0);
	progress_bar_clear(&bar);
	sigaction(SIGINT, &before, NULL);
	if (r == 0 && !follow->status[0]) {
		cli_error("the daemon ended the stream before the task had ended");
		return ellu_error_exit_status(-EPROTO);
	}
	return -r;
}

void follow_done(struct follow *follow)
{
	ellu_stream_close(follow->stream);
	ellu_free(follow->kept);
	free(follow->error);
}
