#include "daemon/queue/monitor_page.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/queue/event_rows.h"
#include "daemon/queue/live_task.h"
#include "daemon/queue/queue_state.h"
#include "daemon/queue/rest.h"

/* So long are readers told in one turn of the loop that their page is there. */
#define TELLING_USEC 50

/* ---- What it says ---- */

/* The store can be read before its answer to who wrote is here. */
static void note_read(struct queue *queue, int64_t task_id, int64_t sequence,
		      const struct ellu_progress *progress)
{
	struct live_task *task = live_task_find(&queue->tasks, task_id);

	if (task && task->sequence_read < sequence)
		task->sequence_read = sequence;
	if (task && progress)
		live_task_set_progress(task, progress);
}

static struct monitor_reply *add_reply(struct monitor_page *page)
{
	struct monitor_reply *reply = &page->replies[page->n_replies++];

	*reply = (struct monitor_reply){ .position = page->position };
	return reply;
}

/* Its events go on behind `sequence`. */
static int show(struct monitor_page *page, const struct ellu_task *stored, int64_t sequence)
{
	struct ellu_task *task = arena_alloc(&page->op.request.arena, sizeof(*task));

	if (!task)
		return -ENOMEM;
	*task = *stored;
	task->sequence = sequence;
	note_read(page->queue, task->id, task->sequence, task->progress);
	queue_overlay(page->queue, task);
	page->position.introduced_id = task->id;
	add_reply(page)->task = task;
	return 0;
}

static int gather_tasks(struct monitor_page *page)
{
	const struct events_tasks_page *op = &page->op.tasks;
	int r = 0;

	page->position = op->ret_position;
	for (size_t i = 0; i < op->ret_n_tasks && r == 0; i++)
		r = show(page, op->ret_tasks[i], op->ret_tasks[i]->sequence);
	if (!op->ret_n_tasks)
		page->position.introduced_id = page->position.known_id;
	return r;
}

static int introduce(struct monitor_page *page, const struct task_event_row *row)
{
	page->position.number = row->number - 1;
	page->position.known_id = row->task_id;
	return show(page, row->task, row->sequence - 1);
}

static int gather_events(struct monitor_page *page)
{
	const struct events_page *op = &page->op.events;

	for (size_t i = 0; i < op->ret_n_rows;) {
		const struct task_event_row *row = &op->ret_rows[i];
		struct ellu_task_event *event = arena_alloc(&page->op.request.arena, sizeof(*event));

		if (!event || (row->task_id > page->position.known_id && introduce(page, row) < 0))
			return -ENOMEM;
		i = event_rows_gather(&page->op.request.arena, op->ret_rows, op->ret_n_rows, i, event);
		if (!i)
			return -ENOMEM;
		page->position.number = op->ret_rows[i - 1].number;
		note_read(page->queue, event->task_id, event->sequence, event->progress);
		add_reply(page)->event = event;
	}
	page->position.number = op->ret_number;
	page->is_last = !op->ret_more;
	return 0;
}

static bool begins(const struct events_position *position)
{
	return position->number < 0 || position->introduced_id < position->known_id;
}

static void gather(struct monitor_page *page)
{
	struct store_request *request = &page->op.request;
	bool of_tasks = begins(&page->query.position);
	/* An event may introduce its task. */
	size_t max = of_tasks ? page->op.tasks.ret_n_tasks : 2 * page->op.events.ret_n_rows;
	int r = -ENOMEM;

	page->replies = arena_array(&request->arena, max, sizeof(*page->replies));
	if (page->replies)
		r = of_tasks ? gather_tasks(page) : gather_events(page);
	if (r < 0)
		request->result = fault_oom(&request->fault);
}

/* ---- Who reads it ---- */

static void drop_use(struct monitor_page *page)
{
	struct queue *queue = page->queue;

	if (--page->n_uses)
		return;
	*page->link = page->next;
	if (page->next)
		page->next->link = page->link;
	for (size_t i = 0; i < page->n_replies; i++)
		share_done(&page->replies[i].share);
	store_request_done(&page->op.request);
	event_free(page->timer);
	free(page);
	queue_count_outstanding(queue, -1);
}

static void unlink_reader(struct monitor_reader *reader)
{
	if (!reader->link)
		return;
	*reader->link = reader->next;
	if (reader->next)
		reader->next->link = reader->link;
	reader->link = NULL;
}

static void tell_later(struct monitor_page *page)
{
	static const struct timeval at_once = { 0 };

	(void)event_add(page->timer, &at_once);
}

static void tell_readers(struct monitor_page *page, int64_t took_usec)
{
	int64_t end = clock_monotonic_usec() + TELLING_USEC;

	page->n_uses++;
	while (page->readers && clock_monotonic_usec() < end) {
		struct monitor_reader *reader = page->readers;

		unlink_reader(reader);
		reader->ready(reader, took_usec);
		took_usec = 0;
	}
	if (page->readers)
		tell_later(page);
	drop_use(page);
}

static void on_timer(evutil_socket_t fd, short events, void *userdata)
{
	(void)fd;
	(void)events;
	tell_readers(userdata, 0);
}

static void on_page(struct store_request *request)
{
	struct monitor_page *page = request->userdata;

	page->is_there = true;
	if (request->result >= 0)
		gather(page);
	tell_readers(page, request->took_usec);
	drop_use(page);
}

static void add_reader(struct monitor_page *page, struct monitor_reader *reader)
{
	reader->page = page;
	reader->next = page->readers;
	reader->link = &page->readers;
	if (reader->next)
		reader->next->link = &reader->next;
	page->readers = reader;
	page->n_uses++;
}

static bool is_same_position(const struct events_position *a, const struct events_position *b)
{
	return a->number == b->number && a->known_id == b->known_id &&
	       a->introduced_id == b->introduced_id;
}

static bool is_same(const struct monitor_query *a, const struct monitor_query *b)
{
	return a->uid == b->uid && a->scope.uid == b->scope.uid && a->scope.all == b->scope.all &&
	       a->scope.only_project_id == b->scope.only_project_id &&
	       is_same_position(&a->position, &b->position);
}

static struct monitor_page **bucket_of(struct queue *queue, const struct monitor_query *query)
{
	return &queue->monitors.pages[(uint64_t)query->position.number % MONITOR_PAGE_BUCKETS];
}

/* Who begins is shown what there is by now; and whoever asks is to get on. */
static bool is_of_use(const struct monitor_page *page)
{
	const struct events_position *from = &page->query.position;

	if (from->number < 0 && page->stored_number != page->queue->monitors.number)
		return false;
	return !page->is_there || !is_same_position(&page->position, from);
}

bool monitor_page_join(struct queue *queue, const struct monitor_query *query,
		       struct monitor_reader *reader)
{
	struct monitor_page *page = *bucket_of(queue, query);

	while (page && !(is_same(&page->query, query) && is_of_use(page)))
		page = page->next;
	if (!page)
		return false;
	add_reader(page, reader);
	page->shared = true;
	if (page->is_there)
		tell_later(page);
	return true;
}

static void ask(struct monitor_page *page)
{
	const struct monitor_query *query = &page->query;
	struct store_request *request = &page->op.request;
	const struct queue_options *options = &page->queue->options;
	bool of_tasks = begins(&query->position);

	if (of_tasks)
		page->op.tasks = (struct events_tasks_page){
			.scope = query->scope, .position = query->position
		};
	else
		page->op.events = (struct events_page){
			.scope = query->scope, .position = query->position
		};
	store_request_init(request, options->loop, on_page, page);
	request->uid = query->uid;
	if (of_tasks)
		store_events_tasks_page(options->store, &page->op.tasks);
	else
		store_events_page(options->store, &page->op.events);
}

int monitor_page_read(struct queue *queue, const struct monitor_query *query,
		      struct monitor_reader *reader)
{
	struct monitor_page **bucket = bucket_of(queue, query);
	struct monitor_page *page = calloc(1, sizeof(*page));

	if (!page)
		return -ENOMEM;
	page->timer = event_new(loop_base(queue->options.loop), -1, 0, on_timer, page);
	if (!page->timer) {
		free(page);
		return -ENOMEM;
	}
	page->queue = queue;
	page->query = *query;
	page->position = query->position;
	page->stored_number = queue->monitors.number;
	page->n_moves = queue->monitors.n_moves;
	page->next = *bucket;
	page->link = bucket;
	if (page->next)
		page->next->link = &page->next;
	*bucket = page;
	page->n_uses = 1;
	add_reader(page, reader);
	queue_count_outstanding(queue, 1);
	ask(page);
	return 0;
}

void monitor_page_leave(struct monitor_reader *reader)
{
	struct monitor_page *page = reader->page;

	if (!page)
		return;
	unlink_reader(reader);
	reader->page = NULL;
	drop_use(page);
}
