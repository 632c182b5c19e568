#include "client/cli/view/task_board.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/view/text.h"
#include "proto/task_status.h"

/* Where the task is, or would be. */
static size_t position(const struct task_board *board, int64_t id)
{
	size_t low = 0, high = board->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (board->tasks[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static char *flat(const char *text)
{
	char *copy = strdup(text);

	if (copy)
		text_flatten(copy);
	return copy;
}

/* The task, a new one if need be. NULL without memory. */
static struct board_task *obtain(struct task_board *board, int64_t id)
{
	size_t at = position(board, id);
	char *name;

	if (at < board->n && board->tasks[at].id == id)
		return &board->tasks[at];
	if (board->n == board->capacity) {
		size_t capacity = board->capacity ? board->capacity * 2 : 16;
		struct board_task *tasks = realloc(board->tasks, capacity * sizeof(*tasks));

		if (!tasks)
			return NULL;
		board->tasks = tasks;
		board->capacity = capacity;
	}
	name = strdup("");
	if (!name)
		return NULL;
	memmove(&board->tasks[at + 1], &board->tasks[at], (board->n - at) * sizeof(*board->tasks));
	board->n++;
	board->tasks[at] = (struct board_task){ .id = id, .name = name, .eta_seconds = -1 };
	return &board->tasks[at];
}

/* Whether it moved. */
static bool take_progress(struct board_task *task, const struct ellu_progress *progress)
{
	const struct board_task was = *task;

	if (!progress)
		return false;
	task->has_progress = true;
	task->percent = progress->percent_complete;
	task->done = task->rates ? progress->responses_rated : progress->responses_generated;
	task->total = progress->total_responses;
	task->failed = progress->failed;
	task->eta_seconds = progress->eta_seconds ? *progress->eta_seconds : -1;
	return !was.has_progress || was.percent != task->percent || was.done != task->done ||
	       was.total != task->total || was.failed != task->failed;
}

static bool take_state(struct board_task *task, const char *status, const char *hold, double now)
{
	bool ended = task_status_is_terminal(task_status_from_name(status));
	bool changed = strcmp(task->status, status) != 0 || strcmp(task->hold, hold ? hold : "") != 0;

	snprintf(task->status, sizeof(task->status), "%s", status);
	snprintf(task->hold, sizeof(task->hold), "%s", hold ? hold : "");
	if (ended && !task->ended)
		task->ended_at = now;
	task->ended = ended;
	return changed;
}

int task_board_take(struct task_board *board, const struct ellu_monitor_reply *reply, double now,
		    struct board_task **ret_task)
{
	const struct ellu_task_event *event = reply->event;
	const struct ellu_task *shown = reply->task;
	struct board_task *task = obtain(board, shown ? shown->id : event->task_id);
	char *name;

	if (!task)
		return -ENOMEM;
	if (shown) {
		name = flat(shown->name);
		if (!name)
			return -ENOMEM;
		free(task->name);
		task->name = name;
		task->rates = strcmp(shown->kind, "rating") == 0;
	}
	*ret_task = task;
	task->changed = take_progress(task, shown ? shown->progress : event->progress);
	task->changed |= take_state(task, shown ? shown->status : event->status,
				    shown ? shown->hold : event->hold, now);
	return 0;
}

void task_board_forget(struct task_board *board, int64_t id)
{
	size_t at = position(board, id);

	if (at == board->n || board->tasks[at].id != id)
		return;
	free(board->tasks[at].name);
	board->n--;
	memmove(&board->tasks[at], &board->tasks[at + 1], (board->n - at) * sizeof(*board->tasks));
}

void task_board_expire(struct task_board *board, double before)
{
	size_t kept = 0;

	for (size_t i = 0; i < board->n; i++)
		if (board->tasks[i].ended && board->tasks[i].ended_at < before)
			free(board->tasks[i].name);
		else
			board->tasks[kept++] = board->tasks[i];
	board->n = kept;
}

void task_board_done(struct task_board *board)
{
	for (size_t i = 0; i < board->n; i++)
		free(board->tasks[i].name);
	free(board->tasks);
	*board = (struct task_board){ 0 };
}
