#include "daemon/queue/watch_cursor.h"

#include "daemon/base/clock.h"
#include "daemon/queue/live_task.h"

void watch_skip_progress(struct watch *watch)
{
	watch->n_progress = watch->task->n_tool_calls > 0 ? 0 : watch->task->n_progress;
}

/* Without memory it reads the store until the task has ended. */
void watch_attach_if_live(struct watch *watch)
{
	struct live_task *task = live_task_find(&watch->queue->tasks, watch->options.task_id);

	if (!task || audience_join(&task->watches, &watch->member, watch->options.scope.uid) < 0)
		return;
	watch->task = task;
	watch_skip_progress(watch);
}

void watch_detach(struct watch *watch)
{
	audience_leave(&watch->member);
	watch->task = NULL;
}

void watch_deliver(struct watch *watch, const struct ellu_task_event *event, bool terminal,
		   struct share *share)
{
	watch->cursor = event->sequence;
	watch->introduced = true;
	watch->ended = terminal;
	if (event->progress)
		watch->progress_usec = clock_monotonic_usec();
	if (watch->task && event->progress)
		live_task_set_progress(watch->task, event->progress);
	watch->options.event(watch->options.userdata, event, terminal, share);
}

bool watch_must_wait(const struct watch *watch, int64_t took_usec)
{
	return watch->options.must_wait(watch->options.userdata, took_usec);
}

void watch_deliver_live(struct watch *watch)
{
	struct live_task *task = watch->task;
	struct ellu_task_event event = *live_task_progress_event(task);

	watch->n_progress = task->n_progress;
	watch_deliver(watch, &event, /* terminal= */ false, &task->progress_share);
}

int64_t watch_progress_due_usec(const struct watch *watch)
{
	const struct live_task *task = watch->task;

	if (watch->cursor != task->sequence || watch->n_progress == task->n_progress)
		return 0; // the store has what memory does not know yet, or there is none
	if (watch->n_progress < task->n_urgent_progress)
		return 1;
	return watch->progress_usec + watch->options.min_interval_usec;
}

void watch_tell_what_is_due(struct watch *watch)
{
	if (watch->caught_up && !watch->paused && watch_progress_due_usec(watch))
		audience_wake_soon(watch->member.audience);
}
