#include "daemon/queue/news.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/queue/live_task.h"
#include "daemon/queue/queue_state.h"
#include "proto/text/utf8.h"

#define TELLING_RESTS 4 // times as long as telling lines took
#define REST_MAX_USEC 50000

/* ---- The history ---- */

static bool is_same_run(const struct task_event_row *row, const struct task_event_row *next)
{
	return next->line && next->task_id == row->task_id && next->status == row->status &&
	       same_text(next->hold, row->hold);
}

void event_add_outcome(struct ellu_task_event *event, const struct ellu_task *task)
{
	event->progress = task->progress;
	event->error = task->error;
	event->result = task->result;
}

/* The lines of the rows from `first` to before `end`. */
static char *join_lines(struct arena *arena, const struct task_event_row *rows, size_t first,
			size_t end, size_t size)
{
	char *text = arena_alloc(arena, size + 1), *at = text;

	for (size_t i = first; text && i < end; i++) {
		at = stpcpy(at, rows[i].line);
		*at++ = '\n';
	}
	return text;
}

size_t event_rows_gather(struct arena *arena, const struct task_event_row *rows, size_t n_rows,
			 size_t first, struct ellu_task_event *ret_event)
{
	const struct task_event_row *row = &rows[first];
	size_t end = first, size = 0;

	*ret_event = ELLU_RECORD(struct ellu_task_event);
	ret_event->task_id = row->task_id;
	ret_event->status = task_status_name(row->status);
	ret_event->hold = row->hold;
	ret_event->at = row->at;
	while (end < n_rows && size < EVENT_TEXT_MAX && is_same_run(row, &rows[end]))
		size += strlen(rows[end++].line) + 1;
	if (end == first)
		end++;
	else
		ret_event->logs_delta = join_lines(arena, rows, first, end, size);
	if (row->line && !ret_event->logs_delta)
		return 0;
	ret_event->sequence = rows[end - 1].sequence;
	if (rows[end - 1].task && rows[end - 1].sequence == rows[end - 1].task->sequence)
		event_add_outcome(ret_event, rows[end - 1].task);
	return end;
}

/* ---- Lines that were just committed ---- */

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
			log_news_flush(task);
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
		log_news_flush(task);
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

void task_told_done(struct task_told *told)
{
	share_done(&told->share);
	free(told->text);
	told->text = NULL;
}

/* Where very many watch, lines go out several at a time: telling takes a part of the loop only. */
static void rest(struct live_task *task, int64_t took_usec)
{
	int64_t usec = took_usec * TELLING_RESTS;

	task->log_rests_until_usec =
		clock_monotonic_usec() + (usec < REST_MAX_USEC ? usec : REST_MAX_USEC);
}

void log_news_flush(struct live_task *task)
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
	live_task_publish(task, &told->news, &told->share);
	rest(task, clock_monotonic_usec() - began_usec);
}
