#include "daemon/queue/monitor.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/queue/live_task.h"
#include "daemon/queue/monitor_page.h"
#include "daemon/queue/queue_state.h"

struct monitor {
	struct queue *queue;
	struct monitor_options options;
	struct monitor *next; // monitors::first
	struct monitor **link;
	struct audience_member member; // of its caller's
	struct events_position position; // what was delivered
	bool caught_up; // there is nothing in the store that was not delivered
	struct monitor_reader reader;
	bool page_waits; // for monitor_go_on(), and so the next
	bool reading_waits;
	bool is_next; // to be told what there is in memory
	bool moved; // there is progress to tell
	bool paused;
	bool ended;
	bool freed;
	int n_pins; // who is about to use it again; the last one frees
	int64_t n_moves; // of progress, when it was last told
	int64_t told_usec; // when that was, monotonic
};

static void read_on(struct monitor *monitor);

static struct monitor *monitor_of(const struct audience_member *member)
{
	return container_of(member, struct monitor, member);
}

static void unpin(struct monitor *monitor)
{
	if (--monitor->n_pins)
		return;
	monitor_page_leave(&monitor->reader);
	free(monitor);
}

static bool is_idle(const struct monitor *monitor)
{
	return monitor->freed || monitor->paused || monitor->ended;
}

static bool may_see(const struct monitor *monitor, const struct live_task *task)
{
	return monitor->options.scope.all || task->schedule.uid == monitor->options.scope.uid;
}

static void deliver(struct monitor *monitor, const struct ellu_task *task,
		    const struct ellu_task_event *event, struct share *share)
{
	monitor->options.reply(monitor->options.userdata, task, event, &monitor->position, share);
}

/* Replies say the position as well. */
static struct share *share_at(struct monitor_share *shared, const struct events_position *position)
{
	if (shared->position.number != position->number ||
	    shared->position.known_id != position->known_id ||
	    shared->position.introduced_id != position->introduced_id)
		share_done(&shared->share);
	shared->position = *position;
	return &shared->share;
}

static void end(struct monitor *monitor, const struct fault *fault)
{
	monitor->ended = true;
	monitor->options.failed(monitor->options.userdata, fault);
}

/* ---- Reading ---- */

/* In the order of the page, as far as there is room. */
static void take_page(struct monitor *monitor, struct monitor_page *page)
{
	size_t i = 0;

	while (i < page->n_replies && !is_idle(monitor)) {
		struct monitor_reply *reply = &page->replies[i++];

		monitor->position = reply->position;
		deliver(monitor, reply->task, reply->event, page->shared ? &reply->share : NULL);
	}
	if (i == page->n_replies)
		monitor->position = page->position;
	monitor->caught_up = !is_idle(monitor) && page->is_last;
	if (monitor->caught_up && monitor->n_moves < monitor->queue->monitors.n_moves) {
		monitor->moved = true;
		audience_wake_soon(monitor->member.audience);
	}
}

static void finish_page(struct monitor *monitor)
{
	struct monitor_page *page = monitor->reader.page;
	const struct store_request *request = &page->op.request;

	monitor->n_pins++;
	monitor->page_waits = false;
	if (!monitor->freed && request->result < 0)
		end(monitor, &request->fault);
	else if (!is_idle(monitor))
		take_page(monitor, page);
	monitor_page_leave(&monitor->reader);
	if (!monitor->freed && monitor->options.has_read)
		monitor->options.has_read(monitor->options.userdata);
	read_on(monitor);
	unpin(monitor);
}

static bool must_wait(const struct monitor *monitor, int64_t took_usec)
{
	return monitor->options.must_wait &&
	       monitor->options.must_wait(monitor->options.userdata, took_usec);
}

static bool may_read(const struct monitor *monitor)
{
	return !monitor->options.may_read || monitor->options.may_read(monitor->options.userdata);
}

/* Many of one caller may have read it. */
static void on_page(struct monitor_reader *reader, int64_t took_usec)
{
	struct monitor *monitor = container_of(reader, struct monitor, reader);

	monitor->page_waits = must_wait(monitor, took_usec);
	if (!monitor->page_waits)
		finish_page(monitor);
}

/* Whether the store has what it was not told. */
static bool is_behind(const struct monitor *monitor)
{
	return !monitor->caught_up || monitor->position.number < monitor->queue->monitors.number;
}

/* And somebody is to be told of it. */
static bool wants_page(const struct monitor *monitor)
{
	return !monitor->reader.page && is_behind(monitor) && !is_idle(monitor);
}

/* Progress since then is yet to be told to who is shown a page that another one asked for. */
static bool share_page(struct monitor *monitor, const struct monitor_query *query)
{
	if (!monitor_page_join(monitor->queue, query, &monitor->reader))
		return false;
	if (query->position.number < 0 && monitor->n_moves > monitor->reader.page->n_moves)
		monitor->n_moves = monitor->reader.page->n_moves;
	return true;
}

/* -ENOMEM. */
static int read_if_room(struct monitor *monitor)
{
	const struct monitor_query query = {
		.scope = monitor->options.scope,
		.uid = monitor->options.uid,
		.position = monitor->position,
	};

	monitor->reading_waits = false;
	monitor->caught_up = false;
	if (share_page(monitor, &query))
		return 0;
	monitor->reading_waits = !may_read(monitor);
	return monitor->reading_waits ? 0 : monitor_page_read(monitor->queue, &query, &monitor->reader);
}

static void read_or_end(struct monitor *monitor)
{
	struct fault fault = { 0 };

	if (read_if_room(monitor) == 0)
		return;
	(void)fault_oom(&fault);
	end(monitor, &fault);
}

static void read_on(struct monitor *monitor)
{
	if (!wants_page(monitor))
		return;
	if (must_wait(monitor, 0))
		monitor->reading_waits = true;
	else
		read_or_end(monitor);
}

/* ---- Being fed ---- */

void monitors_notice(struct monitors *monitors, int64_t number)
{
	monitors->number = number;
	audiences_wake(&monitors->audiences);
}

/* Who is as far as memory is told from there. */
static void see_news(struct monitor *monitor, const struct live_task *task,
		     const struct task_news *news, int64_t first)
{
	struct events_position *position = &monitor->position;

	if (position->number + 1 != first || task->id > position->known_id)
		/* Reads it, unless it has it from there. */
		monitor->caught_up = position->number >= first && first > 0;
	else if (may_see(monitor, task))
		monitor->is_next = true;
	else
		position->number = news->last_number;
}

void monitors_publish(struct monitors *monitors, const struct live_task *task,
		      const struct task_news *news)
{
	int64_t first = news->last_number - (news->event.sequence - news->first_sequence);
	struct monitor_share shared = { 0 };

	for (struct monitor *monitor = monitors->first; monitor; monitor = monitor->next)
		if (monitor->caught_up)
			see_news(monitor, task, news, first);
	monitors->news = news;
	monitors->news_share = &shared;
	audiences_wake(&monitors->audiences);
	monitors->news = NULL;
	share_done(&shared.share);
	/* The others had to wait, and read it. */
	for (struct monitor *monitor = monitors->first; monitor; monitor = monitor->next) {
		monitor->caught_up = monitor->caught_up && !monitor->is_next;
		monitor->is_next = false;
	}
}

void monitors_forget(struct live_task *task)
{
	if (!task->moved_link)
		return;
	*task->moved_link = task->moved_next;
	if (task->moved_next)
		task->moved_next->moved_link = task->moved_link;
	task->moved_link = NULL;
}

void monitors_progress(struct monitors *monitors, struct live_task *task)
{
	monitors_forget(task);
	task->moved_next = monitors->moved;
	task->moved_link = &monitors->moved;
	if (task->moved_next)
		task->moved_next->moved_link = &task->moved_next;
	monitors->moved = task;
	task->n_moves = ++monitors->n_moves;
	for (struct monitor *monitor = monitors->first; monitor; monitor = monitor->next) {
		if (!may_see(monitor, task))
			continue;
		monitor->moved = true;
		audience_wake_soon(monitor->member.audience);
	}
}

static int64_t progress_due_usec(const struct monitor *monitor)
{
	return monitor->told_usec + monitor->options.min_interval_usec;
}

static int64_t tell_progress(struct monitor *monitor)
{
	const struct monitors *monitors = &monitor->queue->monitors;
	const struct ellu_task_event *event;
	struct live_task *task = monitors->moved;
	int64_t again_usec;
	bool ahead = false;

	monitor->n_pins++;
	/* Who is behind is told when he has caught up. */
	for (; monitor->caught_up && task && task->n_moves > monitor->n_moves;
	     task = task->moved_next) {
		if (!may_see(monitor, task) || task->id > monitor->position.known_id)
			continue;
		/* Progress repeats the last sequence: not one before what was told already, nor one
		 * that is yet to be told. */
		if (task->sequence_read > task->sequence || task->number > monitor->position.number) {
			ahead = true;
			continue;
		}
		event = live_task_progress_event(task);
		deliver(monitor, NULL, event, share_at(&task->monitor_share, &monitor->position));
	}
	monitor->told_usec = clock_monotonic_usec();
	again_usec = progress_due_usec(monitor);
	monitor->moved = ahead;
	if (!ahead && monitor->caught_up)
		monitor->n_moves = monitors->n_moves;
	unpin(monitor);
	return ahead ? again_usec : 0;
}

static bool has_news(const struct monitor *monitor)
{
	return monitor->is_next && monitor->queue->monitors.news;
}

static int64_t due_usec(const struct audience_member *member)
{
	const struct monitor *monitor = monitor_of(member);
	bool reads = monitor->reader.page || monitor->reading_waits;

	if (is_idle(monitor) || reads)
		return 0;
	if (has_news(monitor) || is_behind(monitor))
		return 1;
	return monitor->moved ? progress_due_usec(monitor) : 0;
}

static bool member_must_wait(struct audience_member *member)
{
	return must_wait(monitor_of(member), 0);
}

static int64_t tell(struct audience_member *member)
{
	struct monitor *monitor = monitor_of(member);
	struct monitors *monitors = &monitor->queue->monitors;

	if (has_news(monitor)) {
		monitor->is_next = false;
		monitor->position.number = monitors->news->last_number;
		deliver(monitor, NULL, &monitors->news->event,
			share_at(monitors->news_share, &monitor->position));
	} else if (is_behind(monitor)) {
		read_or_end(monitor);
	} else {
		return tell_progress(monitor);
	}
	return 0;
}

const struct audience_kind monitor_audience = {
	.due_usec = due_usec,
	.must_wait = member_must_wait,
	.tell = tell,
};

void monitor_go_on(struct monitor *monitor)
{
	bool reading_waits = monitor->reading_waits;

	monitor->n_pins++;
	monitor->reading_waits = false; // what is done now may have to wait again
	audience_go_on(&monitor->member);
	if (monitor->page_waits)
		finish_page(monitor);
	else if (reading_waits && wants_page(monitor))
		read_or_end(monitor);
	unpin(monitor);
}

/* ---- Life ---- */

int monitor_new(struct queue *queue, const struct monitor_options *options,
		struct monitor **ret_monitor)
{
	struct monitors *monitors = &queue->monitors;
	struct monitor *monitor = calloc(1, sizeof(*monitor));
	int r;

	if (!monitor)
		return -ENOMEM;
	if (audience_join(&monitors->audiences, &monitor->member, options->uid) < 0) {
		free(monitor);
		return -ENOMEM;
	}
	monitor->queue = queue;
	monitor->options = *options;
	monitor->reader.ready = on_page;
	monitor->position = options->position;
	/* Who goes on knows the tasks as they were: progress, and a hold of the moment, are no
	 * events to catch up with. */
	monitor->n_moves = options->position.number < 0 ? monitors->n_moves : 0;
	monitor->n_pins = 1; // monitor_free()
	monitor->next = monitors->first;
	monitor->link = &monitors->first;
	if (monitor->next)
		monitor->next->link = &monitor->next;
	monitors->first = monitor;
	queue->n_watches++;
	monitor->reading_waits = must_wait(monitor, 0);
	r = monitor->reading_waits ? 0 : read_if_room(monitor);
	if (r < 0)
		monitor_free(monitor);
	else
		*ret_monitor = monitor;
	return r;
}

struct monitor *monitor_free(struct monitor *monitor)
{
	if (!monitor)
		return NULL;
	*monitor->link = monitor->next;
	if (monitor->next)
		monitor->next->link = monitor->link;
	audience_leave(&monitor->member);
	monitor->queue->n_watches--;
	monitor->freed = true;
	monitor->caught_up = false;
	unpin(monitor);
	return NULL;
}

void monitor_pause(struct monitor *monitor)
{
	monitor->paused = true;
	monitor->caught_up = false;
}

void monitor_resume(struct monitor *monitor)
{
	monitor->paused = false;
	read_on(monitor);
}
