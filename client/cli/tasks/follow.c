#include "client/cli/tasks/follow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/call.h"
#include "client/cli/interrupt.h"
#include "client/cli/view/progress_bar.h"
#include "proto/generated/interface.h"
#include "proto/task_status.h"

/* ---- Refusals ---- */

int follow_refused(const struct cli *cli, const struct submission *submission, int code,
		   const struct ellu_error *error)
{
	if (!submission->may_be_outrun || code != ELLU_E_CONFLICT || !error || !error->resource_type ||
	    strcmp(error->resource_type, "collection") != 0)
		return cli_fail_request(cli, code, error);
	ellu_free(error);
	return SUBMIT_OUTRUN;
}

/* ---- Events ---- */

static void keep_end(struct follow *follow, const char *status, const struct ellu_error *error)
{
	struct complaint complaint;

	snprintf(follow->status, sizeof(follow->status), "%s", status);
	if (!error || follow->error)
		return;
	if (follow->started && error->field)
		cli_complain(follow->cli, error->field, error->message, &complaint);
	follow->error = strdup(follow->started && error->field ? complaint.text : error->message);
}

/* `*kept` becomes the reply, so that what lies in it stays. */
static void keep(const void **kept, const void *reply)
{
	ellu_free(*kept);
	*kept = ellu_keep(reply);
}

static void take_result(struct follow *follow, const void *reply,
			const struct ellu_task_result *result)
{
	if (!result)
		return;
	keep(&follow->kept_result, reply);
	follow->result = result;
	if (result->experiment_id)
		follow->experiment_id = *result->experiment_id;
}

static void take_task(struct follow *follow, const void *reply, const struct ellu_task *task)
{
	follow->task_id = task->id;
	take_result(follow, reply, task->result);
	if (task->experiment_id)
		follow->experiment_id = *task->experiment_id;
	if (task_status_is_terminal(task_status_from_name(task->status)))
		keep_end(follow, task->status, task->error);
}

static void take_event(struct follow *follow, const void *reply, const struct ellu_task_event *event,
		       struct progress_bar *bar)
{
	follow->task_id = event->task_id;
	if (follow->cli->arguments.json)
		(void) cli_print_json(&ellu_task_event_type, event);
	if (event->progress) {
		keep(&follow->kept_progress, reply);
		follow->progress = event->progress;
	}
	if (event->logs_delta)
		progress_bar_log(bar, event->logs_delta);
	take_result(follow, reply, event->result);
	if (task_status_is_terminal(task_status_from_name(event->status)))
		keep_end(follow, event->status, event->error);
	else if (!follow->told_last)
		progress_bar_update(bar, follow->row, follow->progress, event->status, event->hold);
}

/* ---- What a model says ---- */

void follow_print_text(const char *text)
{
	if (output.terminal)
		text_print(stdout, text);
	else
		fputs(text, stdout);
}

/* An answer that may be asked for again is told once it fits. */
static bool is_told_as_it_comes(const struct follow *follow)
{
	return !output_is_data() && !follow->cli->arguments.schema &&
	       !options_given(&follow->cli->arguments, "response-format") &&
	       !options_given(&follow->cli->arguments, "template");
}

static void take_delta(struct follow *follow, const struct ellu_call_delta *delta, struct progress_bar *bar)
{
	if (!is_told_as_it_comes(follow))
		return;
	progress_bar_clear(bar);
	if (delta->reset && follow->told_last) {
		printf("\n\n");
		fflush(stdout);
		cli_note(follow->cli, "What came so far is void: the answer begins anew.");
		follow->told_last = '\0';
	}
	if (!delta->text || !*delta->text)
		return;
	follow_print_text(delta->text);
	fflush(stdout);
	follow->told_last = delta->text[strlen(delta->text) - 1];
}

/* What comes then is on a line of its own. */
void follow_end_line(const struct follow *follow)
{
	if (follow->told_last && follow->told_last != '\n')
		putchar('\n');
	fflush(stdout);
}

/* No task was needed: what one would have made is there. */
static void take_present(struct follow *follow, const void *reply)
{
	keep(&follow->kept_present, reply);
	keep_end(follow, "SUCCESS", NULL);
}

/* ---- What Ctrl-C means ---- */

/* As soon as it is known which task that is. 0 to go on, else the exit status. */
static int cancel(struct follow *follow)
{
	const struct ellu_error *error;
	int r;

	if (follow->cancelled || follow->task_id == 0 || follow->status[0])
		return 0;
	follow->cancelled = true;
	r = ellu_stream_cancel_task(follow->stream, &error);
	return r < 0 ? cli_fail(r, error) : 0;
}

static void tell_goes_on(const struct follow *follow)
{
	if (follow->task_id > 0)
		cli_note(follow->cli,
			 "The task goes on. Follow it again: elluminate task watch %lld%s",
			 (long long) follow->task_id, cli_same_daemon(&follow->cli->arguments));
}

static void end(struct follow *follow, int outcome)
{
	follow->outcome = outcome;
	follow->ended = true;
}

/* Those that the command has started are cancelled, the others left alone. */
static void on_interrupted(struct follow *all, size_t n, struct progress_bar *bar)
{
	progress_bar_clear(bar);
	if (all->started)
		cli_note(all->cli, "Cancelling; once more to leave at once.");
	for (size_t i = 0; i < n; i++) {
		int status;

		if (all[i].ended)
			continue;
		all[i].interrupted = true;
		if (!all[i].started)
			tell_goes_on(&all[i]);
		status = all[i].started ? cancel(&all[i]) : EXIT_INTERRUPTED;
		if (status != 0)
			end(&all[i], status);
	}
}

/* ---- Why it waits ---- */

/* A task that is on hold for its budget goes on when somebody raises it, or on another day. Where nobody
 * looks on, waiting for that has no end. 0 to go on, else the exit status. */
static int tell_budget(struct follow *follow, bool is_told, const char *reason)
{
	/* The project's limit of the day says itself how to go on. */
	if (!is_told && reason && strstr(reason, "daily_cost_limit")) {
		cli_error("task %lld is on hold: %s. What was recorded is kept.",
			  (long long) follow->task_id, reason);
	} else if (!is_told) {
		cli_error("task %lld is on hold: its cost limit is reached. What was recorded is kept.",
			  (long long) follow->task_id);
		fprintf(stderr, "It goes on with a higher one: elluminate task tune %lld --cost-limit "
				"DOLLARS%s\n",
			(long long) follow->task_id, cli_same_daemon(&follow->cli->arguments));
	}
	return isatty(STDERR_FILENO) || !follow->started ? 0 : EXIT_TASK_HELD;
}

/* 0 to go on, else the exit status. */
static int on_hold(struct follow *follow, const char *hold, const char *reason)
{
	bool is_told = strcmp(hold, follow->told_hold) == 0;
	long long id = follow->task_id;

	snprintf(follow->told_hold, sizeof(follow->told_hold), "%s", hold);
	if (strcmp(hold, "budget") == 0)
		return tell_budget(follow, is_told, reason);
	if (is_told)
		return 0;
	if (strcmp(hold, "user") == 0)
		cli_note(follow->cli, "Task %lld is paused. Let it go on: elluminate task resume %lld%s", id,
			 id, cli_same_daemon(&follow->cli->arguments));
	else
		cli_note(follow->cli, "Task %lld is on hold (%s)%s%s", id, hold, reason ? ": " : ".",
			 reason ? reason : "");
	return 0;
}

/* A task that does not begin at once: the daemon as a whole knows why. */
static void on_pending(struct follow *follow)
{
	struct ellu_get_status_request request = ELLU_RECORD(struct ellu_get_status_request);
	const struct ellu_get_status_reply *reply;

	follow->told_pending = true;
	if (ellu_get_status(follow->cli->daemon, &request, &reply, NULL) < 0)
		return;
	if (reply->queue->draining)
		cli_note(follow->cli, "Task %lld waits: the daemon is drained and starts none. It will after: "
				      "elluminate drain --undo%s",
			 (long long) follow->task_id, cli_same_daemon(&follow->cli->arguments));
	else if (reply->queue->pending > 0)
		cli_note(follow->cli, "Task %lld waits for its turn: %lld run, %lld wait.",
			 (long long) follow->task_id, (long long) reply->queue->started,
			 (long long) reply->queue->pending);
	ellu_free(reply);
}

/* ---- The loop ---- */

static int lost(const struct follow *follow, int r, const struct ellu_error *error)
{
	int status = follow_refused(follow->cli, follow->submission, r, error);

	if (follow->task_id > 0 && !follow->submission->is_lost && (r == -ECONNRESET || r == -EPROTO))
		cli_note(follow->cli,
			 "What was recorded is kept. Follow the task: elluminate task watch %lld%s",
			 (long long) follow->task_id, cli_same_daemon(&follow->cli->arguments));
	return status;
}

/* 0 to go on, else the exit status. */
static int take(struct follow *follow, const void *reply, struct progress_bar *bar)
{
	const struct record_type *type = follow->submission->method->reply;
	const struct ellu_task_event *event = record_member(type, reply, "event");
	const struct ellu_task *task = record_member(type, reply, "task");
	const struct ellu_call_delta *delta = record_member(type, reply, "delta");
	const char *hold = event ? event->hold : task ? task->hold : NULL;
	const char *reason = event ? event->hold_reason : task ? task->hold_reason : NULL;
	int status = 0;

	if (event)
		take_event(follow, reply, event, bar);
	if (task)
		take_task(follow, reply, task);
	if (delta) {
		take_delta(follow, delta, bar);
		return follow->interrupted ? cancel(follow) : 0;
	}
	if (!event && !task)
		take_present(follow, reply);
	if (hold ? strcmp(hold, follow->told_hold) != 0 : event && !follow->told_pending)
		progress_bar_clear(bar);
	if (hold)
		status = on_hold(follow, hold, reason);
	else
		follow->told_hold[0] = '\0';
	if (event && !hold && !follow->told_pending && strcmp(event->status, "PENDING") == 0)
		on_pending(follow);
	return status == 0 && follow->interrupted ? cancel(follow) : status;
}

static void step(struct follow *follow, struct progress_bar *bar)
{
	const struct ellu_error *error = NULL;
	const void *reply;
	int status, r = ellu_stream_next(follow->stream, &reply, &error);

	if (r > 0) {
		status = take(follow, reply, bar);
		ellu_free(reply);
		if (status != 0)
			end(follow, status);
		return;
	}
	progress_bar_clear(bar);
	if (r < 0) {
		end(follow, lost(follow, r, error));
	} else if (follow->status[0]) {
		end(follow, 0);
	} else {
		cli_error("the daemon ended the stream before the task had ended");
		end(follow, ellu_error_exit_status(-EPROTO));
	}
}

/* How long one of several is waited for before the others are asked. */
#define TURN_SECONDS 0.05

/* One of those that go on, with something to say; NULL: ask again. -EINTR: a Ctrl-C. */
static int wait_any(struct follow *all, size_t n, struct follow **ret_ready)
{
	struct follow *first = NULL;
	int r;

	*ret_ready = NULL;
	if (n == 1) {
		r = interrupt_wait(all->cli, all->stream);
		*ret_ready = r == -EINTR ? NULL : all;
		return r == -EINTR ? r : 0;
	}
	for (size_t i = 0; !interrupt_came() && i < n; i++) {
		if (all[i].ended)
			continue;
		first = first ? first : &all[i];
		r = ellu_stream_wait(all[i].stream, 0);
		if (r == 0 || r == -EINTR)
			continue;
		*ret_ready = &all[i];
		return 0;
	}
	if (!interrupt_came() && first)
		(void) ellu_stream_wait(first->stream, TURN_SECONDS);
	return interrupt_came() ? -EINTR : 0;
}

static void open_stream(struct follow *follow)
{
	const struct submission *submission = follow->submission;
	int r;

	if (follow->ended)
		return;
	cli_tell(follow->cli, "%s", submission->method->name);
	r = ellu_stream_method(follow->cli->daemon, submission->method->qualified_name,
			       submission->request, &follow->stream, NULL);
	if (r < 0)
		end(follow, cli_fail(r, NULL));
}

static bool any_goes_on(const struct follow *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!all[i].ended)
			return true;
	return false;
}

void follow_all(struct follow *all, size_t n, const char *const *labels)
{
	const struct arguments *arguments = &all->cli->arguments;
	struct progress_bar bar;
	struct follow *ready;

	progress_bar_init(&bar, arguments->quiet || arguments->json, error_output.color, labels, n);
	interrupt_catch();
	for (size_t i = 0; i < n; i++) {
		all[i].row = i;
		open_stream(&all[i]);
	}
	while (any_goes_on(all, n)) {
		if (wait_any(all, n, &ready) == -EINTR && interrupt_take())
			on_interrupted(all, n, &bar);
		else if (ready)
			step(ready, &bar);
	}
	progress_bar_clear(&bar);
	interrupt_release();
}

int follow(struct follow *follow)
{
	follow_all(follow, 1, NULL);
	return follow->outcome;
}

/* ---- The end ---- */

void follow_tell_end(const struct follow *follow)
{
	const struct submission *submission = follow->submission;
	const struct cli *cli = follow->cli;

	if (strcmp(follow->status, "SUCCESS") == 0)
		return;
	cli_error("task %lld: %s%s%s", (long long) follow->task_id, follow->status,
		  follow->error ? ": " : "", follow->error ? follow->error : "");
	if (!follow->interrupted || submission->is_lost)
		return;
	if (submission->again)
		cli_note(cli, "What was recorded is kept. Continue: %s",
			 submission->again);
	else
		cli_note(cli, "What was recorded is kept. Continue: elluminate task retry %lld%s",
			 (long long) follow->task_id, cli_same_daemon(&cli->arguments));
}

void follow_done(struct follow *follow)
{
	ellu_stream_close(follow->stream);
	ellu_free(follow->kept_progress);
	ellu_free(follow->kept_result);
	ellu_free(follow->kept_present);
	free(follow->error);
}
