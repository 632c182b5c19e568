#include "daemon/queue/watch.h"

#include <errno.h>
#include <event2/event.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/queue/watch_history.h"

static struct watch *watch_of(const struct audience_member *member)
{
	return (struct watch *)((char *)member - offsetof(struct watch, member));
}

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

static void detach(struct watch *watch)
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

/* ---- Being fed ---- */

static bool is_behind(const struct watch *watch)
{
	return watch->cursor < watch->task->sequence;
}

/* When progress is to be told; what somebody is to act on does not wait. */
static int64_t progress_due_usec(const struct watch *watch)
{
	const struct live_task *task = watch->task;

	if (watch->cursor != task->sequence || watch->n_progress == task->n_progress)
		return 0; // the store has what memory does not know yet, or there is none
	if (watch->n_progress < task->n_urgent_progress)
		return 1;
	return watch->progress_usec + watch->options.min_interval_usec;
}

static int64_t due_usec(const struct audience_member *member)
{
	const struct watch *watch = watch_of(member);

	if (!watch->introduced || watch->reading || watch->paused || watch->ended)
		return 0;
	return is_behind(watch) ? 1 : progress_due_usec(watch);
}

void watch_tell_what_is_due(struct watch *watch)
{
	if (watch->caught_up && !watch->paused && progress_due_usec(watch))
		audience_wake_soon(watch->member.audience);
}

/* Whether it was told all before `news`, and nothing of it. */
static bool is_next(const struct watch *watch, const struct task_news *news)
{
	return watch->cursor + 1 == news->first_sequence;
}

/* What it was not told yet, if memory still has it. */
static struct task_told *find_told(const struct watch *watch)
{
	for (size_t i = 0; watch->task && i < TOLD_MAX; i++) {
		struct task_told *told = &watch->task->told[i];

		if (told->text && is_next(watch, &told->news))
			return told;
	}
	return NULL;
}

/* One that had to wait when there was something to tell. The watch may be freed on the way. */
static void catch_up(struct watch *watch)
{
	struct task_told *told;

	watch->caught_up = false;
	watch->reading = true;
	while (!watch->freed && !watch->paused && (told = find_told(watch))) {
		watch->caught_up = told->news.event.sequence == watch->task->sequence;
		watch_deliver(watch, &told->news.event, /* terminal= */ false, &told->share);
	}
	watch->reading = false;
	if (watch->freed)
		free(watch);
	else if (!watch->caught_up && !watch->paused)
		watch_read(watch);
}

static bool member_must_wait(struct audience_member *member)
{
	return watch_must_wait(watch_of(member), 0);
}

static int64_t tell(struct audience_member *member)
{
	struct watch *watch = watch_of(member);
	struct live_task *task = watch->task;

	if (!is_behind(watch))
		watch_deliver_live(watch);
	else if (task->news && is_next(watch, task->news))
		watch_deliver(watch, &task->news->event, task->news->terminal, task->news_share);
	else
		catch_up(watch);
	return 0;
}

const struct audience_kind watch_audience = {
	.due_usec = due_usec,
	.must_wait = member_must_wait,
	.tell = tell,
};

void watch_go_on(struct watch *watch)
{
	bool reads = watch->reading;

	if (!watch->task && !reads && !watch->paused)
		watch_read(watch);
	else
		audience_go_on(&watch->member); // may free it, unless it reads
	if (reads)
		watch_read_on(watch);
}

static void on_timer(evutil_socket_t fd, short events, void *userdata)
{
	struct watch *watch = userdata;

	(void)fd;
	(void)events;
	if (watch->reading ? !watch->page_waits : watch->paused || watch->ended)
		return;
	if (!watch_must_wait(watch, 0))
		(watch->reading ? watch_read_on : watch_read)(watch);
}

const struct ellu_task_event *live_task_progress_event(struct live_task *task)
{
	struct ellu_task_event *event = &task->progress_event;

	if (event->task_id)
		return event;
	*event = ELLU_RECORD(struct ellu_task_event);
	event->task_id = task->id;
	event->sequence = task->sequence;
	event->status = task_status_name(task->status);
	event->hold = live_task_hold(task);
	event->hold_reason = live_task_hold_reason(task, event->hold);
	event->progress = task->progress;
	event->tool_calls = task->n_tool_calls > 0 ?
				    (const struct ellu_tool_call *const *)task->tool_calls : NULL;
	event->n_tool_calls = task->n_tool_calls;
	event->at = clock_wall_usec();
	return event;
}

void live_task_publish_progress(struct live_task *task)
{
	live_task_forget_progress_event(task);
	task->n_progress++;
	audiences_wake_soon(&task->watches);
	monitors_progress(&task->queue->monitors, task);
}

void live_task_publish_tool_calls(struct live_task *task)
{
	task->n_urgent_progress = task->n_progress + 1;
	live_task_publish_progress(task);
}

void live_task_publish(struct live_task *task, const struct task_news *news, struct share *share)
{
	log_news_flush(task);
	live_task_forget_progress_event(task);
	task->sequence = news->event.sequence;
	if (task->number < news->last_number)
		task->number = news->last_number;
	task->news = news;
	task->news_share = share;
	audiences_wake(&task->watches);
	task->news = NULL;
	if (news->terminal)
		monitors_forget(task); // its worker may be busy yet, but no progress follows the end
	monitors_publish(&task->queue->monitors, task, news);
}

void live_task_detach_watches(struct live_task *task)
{
	struct audience_member *member;

	while ((member = audiences_first(&task->watches))) {
		struct watch *watch = watch_of(member);

		detach(watch);
		watch->task_left = true;
		watch->caught_up = false;
		if (!watch->ended && !watch->paused)
			watch_read(watch);
	}
}

/* ---- Life ---- */

int watch_new(struct queue *queue, const struct watch_options *options, struct watch **ret_watch)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	watch->queue = queue;
	watch->options = *options;
	watch->cursor = options->after_sequence;
	watch->timer =
		event_new(loop_base(queue->options.loop), -1, 0, on_timer, watch);
	if (!watch->timer) {
		free(watch);
		return -ENOMEM;
	}
	watch_attach_if_live(watch);
	queue->n_watches++;
	*ret_watch = watch;
	return 0;
}

void watch_start(struct watch *watch)
{
	watch_read(watch);
}

void watch_start_with(struct watch *watch, const struct ellu_task *task,
		      const struct task_event_row *rows, size_t n_rows)
{
	watch_take(watch, task, rows, n_rows);
}

struct watch *watch_free(struct watch *watch)
{
	if (!watch)
		return NULL;
	detach(watch);
	event_free(watch->timer);
	watch->queue->n_watches--;
	watch_leave_history(watch);
	return NULL;
}

void watch_pause(struct watch *watch)
{
	watch->paused = true;
	watch->caught_up = false;
}

void watch_resume(struct watch *watch)
{
	if (!watch->paused)
		return;
	watch->paused = false;
	watch_read(watch);
}
