#include "daemon/queue/queue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/queue/budget.h"
#include "daemon/queue/live_task.h"
#include "daemon/queue/monitor.h"
#include "daemon/queue/news.h"
#include "daemon/queue/queue_state.h"
#include "daemon/queue/rejections.h"
#include "daemon/queue/rest.h"
#include "daemon/queue/running.h"
#include "daemon/queue/trial.h"
#include "daemon/queue/watch.h"
#include "daemon/work/experiment/leftovers.h"

struct work *queue_get_work(struct queue *queue)
{
	return queue->work;
}

const struct queue_limits *queue_get_limits(const struct queue *queue)
{
	return &queue->options.limits;
}

void queue_set_limits(struct queue *queue, const struct queue_limits *limits)
{
	queue->options.limits = *limits;
	schedule_set_limits(queue->schedule, limits);
	work_set_batch_wait(queue->work, limits->batch_poll_seconds * USEC_PER_SEC);
	queue_claim_next(queue);
}

int64_t queue_n_watchers(const struct queue *queue)
{
	return queue->n_watches;
}

int64_t queue_n_waiting(const struct queue *queue)
{
	return schedule_n_waiting(queue->schedule);
}

int64_t queue_n_running(const struct queue *queue)
{
	return schedule_n_running(queue->schedule);
}

bool queue_is_idle(const struct queue *queue)
{
	return !queue->tasks.n && !queue->n_outstanding;
}

bool queue_is_quiet(const struct queue *queue)
{
	return !queue->n_outstanding;
}

static void count_outstanding(void *userdata, int change)
{
	queue_count_outstanding(userdata, change);
}

/* ---- Submissions ---- */

/* A place in the queue is taken before the store is asked, so that what is answered at once cannot
 * overrun a limit; the store's answer turns it into a live task, or gives it back. */

/* A submission that was stored and is not over becomes a live task. */
static int take_in(struct queue *queue, const struct queue_submission *submission)
{
	const struct ellu_task *record = submission->op.ret_task;
	struct live_task *task;
	int r = live_task_add(&queue->tasks, queue, record->id, &task);

	if (r < 0)
		return r;
	task->stream = llm_stream_ref(submission->stream);
	task->schedule.uid = record->owner_uid;
	task->schedule.turn.priority = task_priority_from_name(record->priority);
	if (submission->op.ret_attempt) {
		r = live_task_move(task, LIVE_CLAIMING);
		running_take_record(task, record);
	} else {
		running_take_record(task, record);
		r = live_task_place(task);
	}
	if (r < 0)
		live_task_remove(&queue->tasks, task);
	return r;
}

static void begin(struct queue *queue, const struct ellu_task *record, int64_t attempt)
{
	struct live_task *task = live_task_find(&queue->tasks, record->id);

	if (task && attempt)
		running_start(task, record, attempt);
	else if (task)
		running_halt(task);
}

/* Who submitted is answered before the worker is woken. */
static void on_submitted(struct store_request *request)
{
	struct queue_submission *submission = request->userdata;
	struct queue *queue = submission->queue;
	const struct task_submit *op = &submission->op;
	const struct ellu_task *record = op->ret_task;
	bool made = request->result == 0 && !op->ret_existing;
	enum task_status status = made ? task_status_from_name(record->status) : _TASK_STATUS_INVALID;
	struct arena kept = arena_take(&request->arena); // `done` frees the submission
	int64_t attempt = op->ret_attempt;

	if (op->start)
		schedule_unreserve(queue->schedule, op->scope.uid, submission->priority);
	if (status == TASK_REJECTED)
		rejections_add(queue->rejections, op->scope.uid, clock_monotonic_usec());
	else if (made && !task_status_is_terminal(status) && take_in(queue, submission) < 0)
		log_error("task %" PRId64 ": out of memory; it runs at the next start", record->id);
	if (made && record->retry_of)
		(void)backend_lift_pauses(queue->options.backend, record->owner_uid);
	schedule_admitted(queue->schedule, op->scope.uid);
	submission->done(submission);
	if (made)
		begin(queue, record, attempt);
	arena_done(&kept);
	queue_claim_next(queue);
	queue_count_outstanding(queue, -1);
}

static bool refuse_too_many(struct queue *queue, struct task_submit *op)
{
	int64_t wait_usec =
		rejections_wait_usec(queue->rejections, op->scope.uid, clock_monotonic_usec());
	struct fault *fault = &op->request.fault;

	if (!wait_usec)
		return false;
	op->request.result = fault_set(fault, ELLU_E_TOO_MANY_REQUESTS,
				       "%d submissions were rejected within a minute",
				       REJECTIONS_MAX);
	fault->retry_after_seconds = (double)wait_usec / USEC_PER_SEC;
	return true;
}

void queue_submit(struct queue *queue, struct queue_submission *submission)
{
	struct task_submit *op = &submission->op;
	int r;

	submission->queue = queue;
	store_request_init(&op->request, queue->options.loop, on_submitted, submission);
	op->request.uid = op->scope.uid;
	if (refuse_too_many(queue, op)) {
		submission->done(submission);
		return;
	}
	r = schedule_admit(queue->schedule, op->scope.uid);
	op->queue_full = r == -EAGAIN;
	op->start = r == 0 && queue_may_start(queue) &&
		    schedule_has_room(queue->schedule, op->scope.uid, submission->priority);
	if (op->start)
		schedule_reserve(queue->schedule, op->scope.uid, submission->priority);
	queue_count_outstanding(queue, 1);
	store_task_submit(queue->options.store, op);
}

/* ---- Holds ---- */

int64_t queue_n_on_hold(const struct queue *queue)
{
	int64_t n = 0;

	for (size_t i = 0; i < LIVE_TASK_BUCKETS; i++)
		for (const struct live_task *task = queue->tasks.buckets[i]; task; task = task->next)
			n += live_task_hold(task) != NULL;
	return n;
}

static void show_trouble(struct live_task *task)
{
	live_task_set_clock(task);
	news_publish_progress(task);
}

/* What to do about it. */
static enum log_message advice_on(enum store_trouble trouble)
{
	return trouble == STORE_FULL ? LOG_STORAGE_FULL : trouble == STORE_DAMAGED ? LOG_STORAGE_DAMAGED : LOG_PLAIN;
}

void queue_storage_trouble(struct queue *queue, enum store_trouble trouble)
{
	enum log_message gone = queue->trouble == STORE_FULL ? LOG_STORAGE_ROOM : LOG_PLAIN;

	queue->trouble = trouble;
	if (trouble)
		log_about(LOG_ERR, ABOUT(.message = advice_on(trouble)), "running tasks are on hold: %s",
			  store_trouble_text(trouble));
	else
		log_about(LOG_NOTICE, ABOUT(.message = gone), "the database is written again: tasks go on");
	live_tasks_each(&queue->tasks, show_trouble);
	queue_claim_next(queue);
}

void queue_events_added(struct queue *queue, int64_t number)
{
	monitors_notice(&queue->monitors, number);
}

/* ---- Start and stop ---- */

static void read_pending(struct queue *queue, int64_t after_id);

static int add_pending(struct queue *queue, const struct pending_task *pending)
{
	struct live_task *task;
	int r = live_task_add(&queue->tasks, queue, pending->id, &task);

	if (r < 0)
		return r;
	task->status = TASK_PENDING;
	task->schedule.uid = pending->uid;
	task->schedule.turn.priority = task_priority_from_name(pending->priority);
	live_task_set_hold(task, running_lasting_hold(pending->hold), NULL);
	task->suspect = pending->suspect;
	(void)live_task_place(task);
	return 0;
}

static void on_pending(struct store_request *request)
{
	struct queue *queue = request->userdata;
	size_t n = request->result < 0 ? 0 : queue->page.ret_n_tasks;
	int64_t last = n ? queue->page.ret_tasks[n - 1].id : 0;

	if (request->result < 0)
		log_error("the waiting tasks cannot be read: %s", request->fault.message);
	for (size_t i = 0; i < n; i++)
		if (add_pending(queue, &queue->page.ret_tasks[i]) < 0)
			log_error("out of memory: task %" PRId64 " runs at the next start",
				  queue->page.ret_tasks[i].id);
	store_request_done(request);
	if (n) {
		read_pending(queue, last);
	} else {
		queue->ready(queue->userdata);
		queue_claim_next(queue);
		(void)queue_release_budgets(queue, -1); // it may be another day
		leftovers_sweep(queue->leftovers);
	}
	queue_count_outstanding(queue, -1);
}

static void read_pending(struct queue *queue, int64_t after_id)
{
	store_request_init(&queue->page.request, queue->options.loop, on_pending, queue);
	queue->page.after_id = after_id;
	queue_count_outstanding(queue, 1);
	store_tasks_pending_page(queue->options.store, &queue->page);
}

void queue_start(struct queue *queue, void (*ready)(void *userdata), void *userdata)
{
	queue->ready = ready;
	queue->userdata = userdata;
	read_pending(queue, 0);
}

static void abort_task(struct live_task *task)
{
	if (task->run)
		work_abort(task->run);
}

void queue_stop(struct queue *queue, bool revoke, void (*stopped)(void *userdata), void *userdata)
{
	queue->stopping = true;
	queue->revoking = revoke;
	queue->stopped = stopped;
	queue->userdata = userdata;
	leftovers_stop(queue->leftovers);
	live_tasks_each(&queue->tasks, running_halt);
	queue_count_outstanding(queue, 0);
}

void queue_hurry(struct queue *queue)
{
	store_hurry(queue->options.store);
	live_tasks_each(&queue->tasks, abort_task);
}

/* ---- Draining ---- */

/* Nothing is claimed, what runs goes back to PENDING as at an orderly stop, and the queue goes on
 * taking submissions. */

bool queue_is_draining(const struct queue *queue)
{
	return queue->draining;
}

void queue_drain(struct queue *queue, struct queue_drain *drain)
{
	queue->draining = true;
	drain->next = queue->drains;
	queue->drains = drain;
	live_tasks_each(&queue->tasks, running_halt);
	queue_count_outstanding(queue, 0);
}

void queue_undrain(struct queue *queue)
{
	struct queue_drain *drain;

	queue->draining = false;
	while ((drain = queue->drains)) {
		queue->drains = drain->next;
		drain->done(drain, /* undone= */ true);
	}
	queue_claim_next(queue);
}

/* ---- Life ---- */

int queue_new(const struct queue_options *options, struct queue **ret_queue)
{
	struct queue *queue = calloc(1, sizeof(*queue));
	struct work_events events = running_events(queue);
	int r;

	if (!queue)
		return -ENOMEM;
	queue->options = *options;
	queue->tasks.watch_audience = &watch_audience;
	queue->tasks.time_is_up = running_time_is_up;
	queue->monitors.audiences =
		(struct audiences){ .kind = &monitor_audience, .loop = options->loop };
	r = log_backlog_init(&queue->log_backlog, options->loop);
	if (r == 0)
		r = schedule_new(&options->limits, &queue->schedule);
	if (r == 0)
		r = trial_init(queue, queue_claim_next);
	if (r == 0)
		r = budget_init(queue);
	if (r == 0)
		r = leftovers_new(&(struct leftovers_options){ .loop = options->loop,
							       .store = options->store,
							       .backend = options->backend,
							       .count = count_outstanding,
							       .userdata = queue },
				  &queue->leftovers);
	if (r == 0)
		r = rejections_new(&queue->rejections);
	if (r == 0)
		r = work_new(options->n_workers, options->loop, options->store, options->backend,
			     &events, &queue->work);
	if (r < 0) {
		queue_free(queue);
		return r;
	}
	work_set_batch_wait(queue->work, options->limits.batch_poll_seconds * USEC_PER_SEC);
	*ret_queue = queue;
	return 0;
}

static void remove_task(struct live_task *task)
{
	news_end(task);
	live_task_remove(&task->queue->tasks, task);
}

struct queue *queue_free(struct queue *queue)
{
	if (!queue)
		return NULL;
	work_free(queue->work);
	live_tasks_each(&queue->tasks, remove_task);
	log_backlog_done(&queue->log_backlog);
	trial_done(&queue->trial);
	budget_done(queue);
	leftovers_free(queue->leftovers);
	rejections_free(queue->rejections);
	schedule_free(queue->schedule);
	free(queue);
	return NULL;
}
