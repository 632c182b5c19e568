#include "daemon/queue/news.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/queue/event_rows.h"
#include "daemon/queue/live_task.h"
#include "daemon/queue/monitor.h"
#include "daemon/queue/queue_state.h"
#include "daemon/queue/watch.h"

#define TELLING_RESTS 4 // times as long as telling lines took
#define REST_MAX_USEC 50000

static void tell(struct live_task *task, const struct task_news *news, struct share *share)
{
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

/* ---- Lines that were just committed ---- */

/* Where very many watch, lines go out several at a time: telling takes a part of the loop only. */
static void rest(struct live_task *task, int64_t took_usec)
{
	int64_t usec = took_usec * TELLING_RESTS;

	task->log_rests_until_usec =
		clock_monotonic_usec() + (usec < REST_MAX_USEC ? usec : REST_MAX_USEC);
}

/* Tells what waits, before something else is told of the task. */
static void flush(struct live_task *task)
{
	struct log_news waiting = task->log;
	struct task_told *told;
	struct ellu_task_event *event;
	int64_t began_usec;

	if (!waiting.link)
		return;
	*waiting.link = waiting.next;
	if (waiting.next)
		waiting.next->log.link = waiting.link;
	task->log = (struct log_news){ 0 };
	told = &task->told[task->n_told++ % TOLD_MAX];
	event = &told->news.event;
	task_told_done(told);
	told->text = waiting.text;
	told->news = (struct task_news){
		.first_sequence = waiting.first_sequence,
		.event = ELLU_RECORD(struct ellu_task_event),
		.last_number = waiting.last_number,
	};
	event->task_id = task->id;
	event->sequence = waiting.last_sequence;
	event->status = task_status_name(waiting.status);
	event->hold = waiting.hold;
	event->hold_reason = live_task_hold_reason(task, waiting.hold);
	event->logs_delta = waiting.text;
	event->at = waiting.at;
	began_usec = clock_monotonic_usec();
	tell(task, &told->news, &told->share);
	rest(task, clock_monotonic_usec() - began_usec);
}

static void tell_later(struct log_backlog *backlog, int64_t usec)
{
	const struct timeval wait = { .tv_usec = usec };

	if (usec <= 0)
		event_active(backlog->timer, EV_TIMEOUT, 0);
	else
		(void)event_add(backlog->timer, &wait);
}

/* Tells the lines of who has rested, and is back for the others. */
static void on_timer(evutil_socket_t fd, short events, void *userdata)
{
	struct log_backlog *backlog = userdata;
	int64_t now = clock_monotonic_usec(), soonest = INT64_MAX;
	struct live_task *task = backlog->first;

	(void)fd;
	(void)events;
	while (task) {
		int64_t until = task->log_rests_until_usec;

		if (until <= now) {
			flush(task);
			task = backlog->first;
			continue;
		}
		soonest = until < soonest ? until : soonest;
		task = task->log.next;
	}
	if (soonest < INT64_MAX)
		tell_later(backlog, soonest - now);
}

int log_backlog_init(struct log_backlog *backlog, struct loop *loop)
{
	backlog->timer = event_new(loop_base(loop), -1, 0, on_timer, backlog);
	return backlog->timer ? 0 : -ENOMEM;
}

void log_backlog_done(struct log_backlog *backlog)
{
	if (backlog->timer)
		event_free(backlog->timer);
}

static void wait_for_turn(struct log_backlog *backlog, struct live_task *task)
{
	struct log_news *news = &task->log;

	if (news->link)
		return;
	news->next = backlog->first;
	news->link = &backlog->first;
	if (news->next)
		news->next->log.link = &news->next;
	backlog->first = task;
	tell_later(backlog, task->log_rests_until_usec - clock_monotonic_usec());
}

static bool goes_with(const struct live_task *task, const struct log_line *line)
{
	const struct log_news *news = &task->log;

	return news->last_sequence + 1 == line->sequence && news->last_number + 1 == line->number &&
	       news->size < EVENT_TEXT_MAX && news->status == task->status &&
	       news->hold == live_task_hold(task);
}

static int append(struct log_news *news, const char *line)
{
	size_t size = strlen(line), capacity = 2 * (news->size + size + 2);

	if (news->capacity < news->size + size + 2) {
		char *text = realloc(news->text, capacity);

		if (!text)
			return -ENOMEM;
		news->text = text;
		news->capacity = capacity;
	}
	stpcpy(stpcpy(news->text + news->size, line), "\n");
	news->size += size + 1;
	return 0;
}

void log_news_add(struct live_task *task, const struct log_line *line)
{
	struct log_news *news = &task->log;

	if (news->size && !goes_with(task, line))
		flush(task);
	if (!news->size)
		news->first_sequence = line->sequence;
	if (append(news, line->text) < 0)
		return; // watchers see the gap, and read what is missing
	news->last_sequence = line->sequence;
	news->last_number = line->number;
	news->at = line->at;
	news->status = task->status;
	news->hold = live_task_hold(task);
	wait_for_turn(&task->queue->log_backlog, task);
}

/* ---- What happens to a task ---- */

void news_publish(struct live_task *task, const struct task_news *news, struct share *share)
{
	flush(task);
	tell(task, news, share);
}

void news_publish_progress(struct live_task *task)
{
	live_task_forget_progress_event(task);
	task->n_progress++;
	audiences_wake_soon(&task->watches);
	monitors_progress(&task->queue->monitors, task);
}

void news_publish_tool_calls(struct live_task *task)
{
	task->n_urgent_progress = task->n_progress + 1;
	news_publish_progress(task);
}

void news_end(struct live_task *task)
{
	flush(task);
	watches_forget(task);
	monitors_forget(task);
}
