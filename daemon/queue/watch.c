#include "daemon/queue/watch.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/queue/watch_history.h"

static struct watch *watch_of(const struct audience_member *member)
{
	return container_of(member, struct watch, member);
}

/* ---- Being fed ---- */

static bool is_behind(const struct watch *watch)
{
	return watch->cursor < watch->task->sequence;
}

static int64_t due_usec(const struct audience_member *member)
{
	const struct watch *watch = watch_of(member);

	if (!watch->introduced || watch->reading || watch->paused || watch->ended)
		return 0;
	return is_behind(watch) ? 1 : watch_progress_due_usec(watch);
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

void watches_forget(struct live_task *task)
{
	struct audience_member *member;

	while ((member = audiences_first(&task->watches))) {
		struct watch *watch = watch_of(member);

		watch_detach(watch);
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
	watch_take_history(watch, task, rows, n_rows);
}

struct watch *watch_free(struct watch *watch)
{
	if (!watch)
		return NULL;
	watch_detach(watch);
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
