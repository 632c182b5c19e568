#include "daemon/queue/watch.h"

#include <errno.h>
#include <event2/event.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/queue/queue_state.h"
#include "proto/limits.h"

struct watch {
	struct queue *queue;
	struct watch_options options;
	struct live_task *task; // NULL: not live (any more)
	bool task_left; // its end is stored
	struct audience_member member; // of the task's
	int64_t cursor; // the last sequence that was delivered
	bool introduced; // the present state, or what came after the start, was delivered
	bool caught_up; // fed from memory
	bool reading; // `page` is with the store, waits for a turn, or is being delivered
	bool room_waits; // to ask for it
	bool page_waits;
	bool paused;
	bool freed; // leave_page() frees it
	bool ended;
	int64_t sent_usec; // when something was delivered, monotonic
	uint64_t n_progress; // the task's, when progress was told last
	struct event *timer; // time to look again
	struct task_events_page page;
};

static void start_reading(struct watch *watch);
static void read_on(struct watch *watch);
static void tell_what_is_due(struct watch *watch);

static struct watch *watch_of(const struct audience_member *member)
{
	return (struct watch *)((char *)member - offsetof(struct watch, member));
}

/* What it is told first says how far the task is; calls of tools are in no row. */
static void skip_progress(struct watch *watch)
{
	watch->n_progress = watch->task->n_tool_calls > 0 ? 0 : watch->task->n_progress;
}

/* Without memory it reads the store until the task has ended. */
static void attach_if_live(struct watch *watch)
{
	struct live_task *task = live_task_find(&watch->queue->tasks, watch->options.task_id);

	if (!task || audience_join(&task->watches, &watch->member, watch->options.uid) < 0)
		return;
	watch->task = task;
	skip_progress(watch);
}

static void detach(struct watch *watch)
{
	audience_leave(&watch->member);
	watch->task = NULL;
}

static void deliver(struct watch *watch, const struct ellu_task_event *event, bool terminal,
		    struct share *share)
{
	watch->cursor = event->sequence;
	watch->introduced = true;
	watch->ended = terminal;
	watch->sent_usec = clock_monotonic_usec();
	if (watch->task && event->progress)
		live_task_set_progress(watch->task, event->progress);
	watch->options.event(watch->options.userdata, event, terminal, share);
}

static bool must_wait(const struct watch *watch, int64_t took_usec)
{
	return watch->options.must_wait(watch->options.userdata, took_usec);
}

/* ---- Reading what was missed ---- */

/* The hold of the moment, which the store does not know. */
static void overlay_hold(struct watch *watch, struct ellu_task_event *event)
{
	if (watch->task && !event->hold &&
	    !task_status_is_terminal(task_status_from_name(event->status)))
		event->hold = live_task_moment_hold(watch->task);
	if (watch->task)
		event->hold_reason = live_task_hold_reason(watch->task, event->hold);
}

/* Delivers a page. The watch may be paused (or freed: `page` keeps the memory) on the way. */
static void deliver_rows(struct watch *watch)
{
	size_t i = 0;

	while (i < watch->page.ret_n_rows && !watch->paused && !watch->freed && !watch->ended) {
		struct ellu_task_event event;
		bool last, terminal;

		i = event_rows_gather(&watch->page.request.arena, watch->page.ret_rows,
				      watch->page.ret_n_rows, i, &event);
		if (!i) {
			(void)fault_oom(&watch->page.request.fault);
			watch->ended = true;
			watch->options.failed(watch->options.userdata, &watch->page.request.fault);
			return;
		}
		last = event.sequence == watch->page.ret_last_sequence;
		terminal = last && task_status_is_terminal(task_status_from_name(event.status));
		if (last)
			overlay_hold(watch, &event);
		deliver(watch, &event, terminal, NULL);
	}
}

/* Progress, or the present: it is the same for all who are as far as memory is. */
static void deliver_live(struct watch *watch)
{
	struct live_task *task = watch->task;
	struct ellu_task_event event = *live_task_progress_event(task);

	watch->n_progress = task->n_progress;
	deliver(watch, &event, /* terminal= */ false, &task->progress_share);
}

static void deliver_present(struct watch *watch)
{
	const struct ellu_task *task = watch->page.ret_task;
	struct ellu_task_event event = ELLU_RECORD(struct ellu_task_event);

	if (watch->task && watch->task->sequence == watch->page.ret_last_sequence) {
		if (task->progress)
			live_task_set_progress(watch->task, task->progress);
		deliver_live(watch);
		return;
	}
	event.task_id = task->id;
	event.sequence = watch->page.ret_last_sequence;
	event.status = task->status;
	event.hold = task->hold;
	event.at = clock_wall_usec();
	event_add_outcome(&event, task);
	overlay_hold(watch, &event);
	deliver(watch, &event, task_status_is_terminal(task_status_from_name(task->status)), NULL);
}

static void take_page(struct watch *watch)
{
	int64_t last = watch->page.ret_last_sequence;
	const char *status = watch->page.ret_task->status;

	if (watch->page.ret_n_rows)
		deliver_rows(watch);
	else if (!watch->introduced || task_status_is_terminal(task_status_from_name(status)))
		deliver_present(watch);
	if (watch->freed || watch->paused || watch->ended)
		return;
	if (!watch->task)
		attach_if_live(watch);
	if (watch->task && last < watch->task->sequence)
		last = watch->task->sequence;
	watch->caught_up = watch->task && watch->cursor >= last;
	tell_what_is_due(watch);
}

static void leave_page(struct watch *watch)
{
	store_request_done(&watch->page.request);
	watch->reading = false;
	if (watch->freed) {
		free(watch);
		return;
	}
	watch->options.has_read(watch->options.userdata);
	if (!watch->paused && !watch->ended && !watch->caught_up)
		read_on(watch);
}

static void finish_page(struct watch *watch)
{
	struct store_request *request = &watch->page.request;
	struct queue *queue = watch->queue;

	watch->page_waits = false;
	if (!watch->freed && request->result < 0) {
		watch->ended = true;
		watch->options.failed(watch->options.userdata, &request->fault);
	} else if (!watch->freed) {
		take_page(watch);
	}
	leave_page(watch);
	queue_count_outstanding(queue, -1);
}

/* The store may have answered many watches of one caller at once. */
static void on_page(struct store_request *request)
{
	struct watch *watch = request->userdata;

	watch->page_waits = !watch->freed && must_wait(watch, request->took_usec);
	if (!watch->page_waits)
		finish_page(watch);
}

/* A task that is neither live nor terminal is on its way into the queue: look again soon. One that
 * left while it was read has its end in the store: a daemon that stops waits for that alone. */
static void read_on(struct watch *watch)
{
	static const struct timeval soon = { .tv_usec = 20 * USEC_PER_MSEC };

	if (watch->task || watch->task_left || watch->page.ret_n_rows)
		start_reading(watch);
	else
		(void)event_add(watch->timer, &soon);
}

static void read_page(struct watch *watch)
{
	watch->room_waits = !watch->options.may_read(watch->options.userdata);
	if (watch->room_waits)
		return;
	store_request_init(&watch->page.request, watch->queue->options.loop, on_page, watch);
	watch->page.request.uid = watch->options.uid;
	watch->page.task_id = watch->options.task_id;
	watch->page.after_sequence = watch->cursor >= 0 ? watch->cursor : INTEGER_MAX;
	watch->page.ret_rows = NULL;
	watch->page.ret_n_rows = 0;
	store_task_events_page(watch->queue->options.store, &watch->page);
}

static void start_reading(struct watch *watch)
{
	if (watch->reading || watch->ended)
		return;
	if (watch->task && !watch->introduced)
		skip_progress(watch);
	watch->caught_up = false;
	watch->reading = true;
	queue_count_outstanding(watch->queue, 1);
	read_page(watch);
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
	return watch->sent_usec + watch->options.min_interval_usec;
}

static int64_t due_usec(const struct audience_member *member)
{
	const struct watch *watch = watch_of(member);

	if (!watch->introduced || watch->reading || watch->paused || watch->ended)
		return 0;
	return is_behind(watch) ? 1 : progress_due_usec(watch);
}

static void tell_what_is_due(struct watch *watch)
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
		deliver(watch, &told->news.event, /* terminal= */ false, &told->share);
	}
	watch->reading = false;
	if (watch->freed)
		free(watch);
	else if (!watch->caught_up && !watch->paused)
		start_reading(watch);
}

static bool member_must_wait(struct audience_member *member)
{
	return must_wait(watch_of(member), 0);
}

static int64_t tell(struct audience_member *member)
{
	struct watch *watch = watch_of(member);
	struct live_task *task = watch->task;

	if (!is_behind(watch))
		deliver_live(watch);
	else if (task->news && is_next(watch, task->news))
		deliver(watch, &task->news->event, task->news->terminal, task->news_share);
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
		start_reading(watch);
	else
		audience_go_on(&watch->member); // may free it, unless it reads
	if (reads && watch->room_waits)
		read_page(watch);
	else if (reads && watch->page_waits)
		finish_page(watch);
}

static void on_timer(evutil_socket_t fd, short events, void *userdata)
{
	struct watch *watch = userdata;

	(void)fd;
	(void)events;
	if (!watch->reading && !watch->paused && !watch->ended && !must_wait(watch, 0))
		start_reading(watch);
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
			start_reading(watch);
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
	attach_if_live(watch);
	queue->n_watches++;
	*ret_watch = watch;
	return 0;
}

void watch_start(struct watch *watch)
{
	start_reading(watch);
}

void watch_start_with(struct watch *watch, const struct ellu_task *task,
		      const struct task_event_row *rows, size_t n_rows)
{
	watch->reading = true;
	store_request_init(&watch->page.request, NULL, NULL, NULL);
	watch->page.ret_task = task;
	watch->page.ret_last_sequence = task->sequence;
	watch->page.ret_rows = rows;
	watch->page.ret_n_rows = n_rows;
	take_page(watch);
	leave_page(watch);
}

struct watch *watch_free(struct watch *watch)
{
	if (!watch)
		return NULL;
	detach(watch);
	event_free(watch->timer);
	watch->queue->n_watches--;
	watch->freed = true;
	/* While a page is with the store or being delivered, leave_page() frees. */
	if (watch->page_waits || watch->room_waits)
		finish_page(watch);
	else if (!watch->reading)
		free(watch);
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
	start_reading(watch);
}
