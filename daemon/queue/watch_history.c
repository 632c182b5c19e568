/*
 * What a watch has missed, read from the store a page at a time. Watches of one caller that miss the same
 * share a page: one of them reads it, and tells the others before itself, each event being encoded once for
 * all; where that takes more than a turn, it goes on in the reader's next one.
 */
#include "daemon/queue/watch_history.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/queue/event_rows.h"
#include "daemon/queue/live_task.h"
#include "daemon/queue/rest.h"
#include "proto/limits.h"

/* So many are told what one of them has read, and for so long in a turn of the loop. */
#define SHARERS_MAX 256
#define SHARING_USEC 2000

/* Of a page, as all who missed it are told it. */
struct page_event {
	struct page_event *next;
	struct ellu_task_event event;
	bool terminal;
	struct share share;
};

static void read_page(struct watch *watch);

/* ---- Delivering a page ---- */

/* The hold of the moment, which the store does not know. */
static void overlay_hold(struct watch *watch, struct ellu_task_event *event)
{
	if (watch->task && !event->hold &&
	    !task_status_is_terminal(task_status_from_name(event->status)))
		event->hold = live_task_moment_hold(watch->task);
	if (watch->task)
		event->hold_reason = live_task_hold_reason(watch->task, event->hold);
}

static bool is_over(const struct ellu_task_event *event)
{
	return task_status_is_terminal(task_status_from_name(event->status));
}

static void fail(struct watch *watch, const struct fault *fault)
{
	watch->ended = true;
	watch->options.failed(watch->options.userdata, fault);
}

/* The events of its page: in the page's memory, but for the shares. -ENOMEM. */
static int gather_page(struct watch *watch)
{
	struct task_events_page *page = &watch->page;
	struct page_event **link = &watch->events;

	for (size_t i = 0; i < page->ret_n_rows;) {
		struct page_event *made = arena_alloc(&page->request.arena, sizeof(*made));

		i = made ? event_rows_gather(&page->request.arena, page->ret_rows, page->ret_n_rows, i,
					     &made->event) : 0;
		if (!i)
			return fault_oom(&page->request.fault);
		made->next = NULL;
		made->share = (struct share){ 0 };
		made->terminal = made->event.sequence == page->ret_last_sequence && is_over(&made->event);
		if (made->event.sequence == page->ret_last_sequence)
			overlay_hold(watch, &made->event);
		*link = made;
		link = &made->next;
	}
	return 0;
}

/* The watch may be paused or freed on the way: whoever read the page keeps the memory. */
static void deliver_events(struct watch *watch, struct page_event *events, bool shared)
{
	for (struct page_event *each = events; each && !watch->paused && !watch->freed && !watch->ended;
	     each = each->next)
		watch_deliver(watch, &each->event, each->terminal, shared ? &each->share : NULL);
}

static void deliver_present(struct watch *watch, const struct task_events_page *page)
{
	const struct ellu_task *task = page->ret_task;
	struct ellu_task_event event = ELLU_RECORD(struct ellu_task_event);

	if (watch->task && watch->task->sequence == page->ret_last_sequence) {
		if (task->progress)
			live_task_set_progress(watch->task, task->progress);
		watch_deliver_live(watch);
		return;
	}
	event.task_id = task->id;
	event.sequence = page->ret_last_sequence;
	event.status = task->status;
	event.hold = task->hold;
	event.at = clock_wall_usec();
	event_add_outcome(&event, task);
	overlay_hold(watch, &event);
	watch_deliver(watch, &event, is_over(&event), NULL);
}

/* That page is its own, or another's that began behind the same sequence. */
static void take_page(struct watch *watch, const struct task_events_page *page, struct page_event *events,
		      bool shared)
{
	int64_t last = page->ret_last_sequence;
	const char *status = page->ret_task->status;

	if (events)
		deliver_events(watch, events, shared);
	else if (!watch->introduced || task_status_is_terminal(task_status_from_name(status)))
		deliver_present(watch, page);
	if (watch->freed || watch->paused || watch->ended)
		return;
	if (!watch->task)
		watch_attach_if_live(watch);
	if (watch->task && last < watch->task->sequence)
		last = watch->task->sequence;
	watch->caught_up = watch->task && watch->cursor >= last;
	watch_tell_what_is_due(watch);
}

/* A task that is neither live nor terminal is on its way into the queue: look again soon. One that
 * left while it was read has its end in the store: a daemon that stops waits for that alone. */
static void read_later(struct watch *watch, bool had_rows)
{
	static const struct timeval soon = { .tv_usec = 20 * USEC_PER_MSEC };

	if (watch->task || watch->task_left || had_rows)
		watch_read(watch);
	else
		(void)event_add(watch->timer, &soon);
}

/* What it asked for is delivered, or will not be. */
static void end_reading(struct watch *watch, bool had_rows)
{
	watch->reading = false;
	if (watch->freed)
		free(watch);
	else if (!watch->paused && !watch->ended && !watch->caught_up)
		read_later(watch, had_rows);
}

static void leave_page(struct watch *watch)
{
	bool had_rows = watch->events != NULL;

	for (struct page_event *each = watch->events; each; each = each->next)
		share_done(&each->share);
	watch->events = NULL;
	watch->gathered = false;
	watch->n_sharers = 0;
	store_request_done(&watch->page.request);
	if (!watch->freed)
		watch->options.has_read(watch->options.userdata);
	end_reading(watch, had_rows);
}

/* ---- Reading what others read ---- */

static struct watch **reading_bucket(struct watch *watch)
{
	return &watch->queue->reading[(uint64_t)watch->options.task_id % WATCH_BUCKETS];
}

static void begin_reading(struct watch *watch)
{
	struct watch **bucket = reading_bucket(watch);

	watch->next_reading = *bucket;
	watch->reading_link = bucket;
	if (watch->next_reading)
		watch->next_reading->reading_link = &watch->next_reading;
	*bucket = watch;
}

static void close_reading(struct watch *watch)
{
	if (!watch->reading_link)
		return;
	*watch->reading_link = watch->next_reading;
	if (watch->next_reading)
		watch->next_reading->reading_link = watch->reading_link;
	watch->reading_link = NULL;
}

static bool sees_the_same(const struct scope *a, const struct scope *b)
{
	return a->uid == b->uid && a->all == b->all && a->only_project_id == b->only_project_id;
}

static int64_t first_missed(const struct watch *watch)
{
	return watch->cursor >= 0 ? watch->cursor : INTEGER_MAX;
}

/* Whether another one reads the same. */
static bool share_reading(struct watch *watch)
{
	struct watch *other = *reading_bucket(watch);

	while (other && (other->options.task_id != watch->options.task_id || other->freed ||
			 other->n_sharers >= SHARERS_MAX || other->page.after_sequence != first_missed(watch) ||
			 !sees_the_same(&other->options.scope, &watch->options.scope)))
		other = other->next_reading;
	if (!other)
		return false;
	watch->next_sharer = other->sharers;
	watch->sharer_link = &other->sharers;
	if (watch->next_sharer)
		watch->next_sharer->sharer_link = &watch->next_sharer;
	other->sharers = watch;
	other->n_sharers++;
	return true;
}

static void leave_sharers(struct watch *watch)
{
	*watch->sharer_link = watch->next_sharer;
	if (watch->next_sharer)
		watch->next_sharer->sharer_link = watch->sharer_link;
	watch->sharer_link = NULL;
}

/* Each reads for itself, as far as no other of them does. */
static void drop_sharers(struct watch *watch)
{
	while (watch->sharers) {
		struct watch *sharer = watch->sharers;

		leave_sharers(sharer);
		read_page(sharer);
	}
}

static void tell_sharer(struct watch *sharer, const struct watch *reader)
{
	const struct store_request *request = &reader->page.request;
	struct queue *queue = sharer->queue;

	leave_sharers(sharer);
	if (request->result < 0)
		fail(sharer, &request->fault);
	else
		take_page(sharer, &reader->page, reader->events, /* shared= */ true);
	end_reading(sharer, reader->events != NULL);
	queue_count_outstanding(queue, -1);
}

/* In turns of the one that read, of which this is one; he may be freed on the way. False: it goes on in the
 * next. */
static bool tell_sharers(struct watch *watch)
{
	static const struct timeval at_once = { 0 };
	int64_t until = clock_monotonic_usec() + SHARING_USEC;

	while (!watch->freed && watch->sharers) {
		tell_sharer(watch->sharers, watch);
		if (watch->freed || watch_must_wait(watch, 0))
			return watch->freed;
		if (clock_monotonic_usec() > until) {
			(void)event_add(watch->timer, &at_once);
			return false;
		}
	}
	return true;
}

static void finish_page(struct watch *watch)
{
	struct store_request *request = &watch->page.request;
	struct queue *queue = watch->queue;

	watch->page_waits = false;
	if (!watch->freed && !watch->gathered && request->result >= 0)
		request->result = gather_page(watch);
	watch->gathered = true;
	watch->page_waits = !tell_sharers(watch);
	if (watch->page_waits)
		return;
	close_reading(watch);
	drop_sharers(watch);
	if (watch->freed)
		; // there is nobody to tell
	else if (request->result < 0)
		fail(watch, &request->fault);
	else
		take_page(watch, &watch->page, watch->events, watch->n_sharers > 0);
	leave_page(watch);
	queue_count_outstanding(queue, -1);
}

/* The store may have answered many watches of one caller at once. */
static void on_page(struct store_request *request)
{
	struct watch *watch = request->userdata;

	watch->page_waits = !watch->freed && watch_must_wait(watch, request->took_usec);
	if (!watch->page_waits)
		finish_page(watch);
}

static void read_page(struct watch *watch)
{
	watch->room_waits = false;
	if (share_reading(watch))
		return;
	watch->room_waits = !watch->options.may_read(watch->options.userdata);
	if (watch->room_waits)
		return;
	store_request_init(&watch->page.request, watch->queue->options.loop, on_page, watch);
	watch->page.request.uid = watch->options.scope.uid;
	watch->page.scope = watch->options.scope;
	watch->page.task_id = watch->options.task_id;
	watch->page.after_sequence = first_missed(watch);
	watch->page.ret_rows = NULL;
	watch->page.ret_n_rows = 0;
	begin_reading(watch);
	store_task_events_page(watch->queue->options.store, &watch->page);
}

void watch_read(struct watch *watch)
{
	if (watch->reading || watch->ended)
		return;
	if (watch->task && !watch->introduced)
		watch_skip_progress(watch);
	watch->caught_up = false;
	watch->reading = true;
	queue_count_outstanding(watch->queue, 1);
	read_page(watch);
}

void watch_take_history(struct watch *watch, const struct ellu_task *task,
			const struct task_event_row *rows, size_t n_rows)
{
	watch->reading = true;
	store_request_init(&watch->page.request, NULL, NULL, NULL);
	watch->page.ret_task = task;
	watch->page.ret_last_sequence = task->sequence;
	watch->page.ret_rows = rows;
	watch->page.ret_n_rows = n_rows;
	if (gather_page(watch) < 0)
		fail(watch, &watch->page.request.fault);
	else
		take_page(watch, &watch->page, watch->events, /* shared= */ false);
	leave_page(watch);
}

void watch_read_on(struct watch *watch)
{
	if (watch->room_waits)
		read_page(watch);
	else if (watch->page_waits)
		finish_page(watch);
}

void watch_leave_history(struct watch *watch)
{
	watch->freed = true;
	if (watch->sharer_link) {
		leave_sharers(watch);
		watch->reading = false;
		queue_count_outstanding(watch->queue, -1);
	}
	/* While a page is with the store or being delivered, leave_page() frees. */
	if (watch->page_waits || watch->room_waits)
		finish_page(watch);
	else if (!watch->reading)
		free(watch);
}
