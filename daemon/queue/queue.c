#include "daemon/queue/queue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/queue/queue_state.h"
#include "daemon/queue/run_clock.h"
#include "daemon/queue/running.h"
#include "daemon/work/work.h"

struct live_tasks *queue_tasks(struct queue *queue)
{
	return &queue->tasks;
}

struct monitors *queue_monitors(struct queue *queue)
{
	return &queue->monitors;
}

struct log_lane *queue_log_lane(struct queue *queue)
{
	return &queue->log_lane;
}

struct store *queue_store(struct queue *queue)
{
	return queue->options.store;
}

struct loop *queue_loop(struct queue *queue)
{
	return queue->options.loop;
}

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

void queue_count_watch(struct queue *queue, int change)
{
	queue->n_watches += change;
}

bool queue_is_idle(const struct queue *queue)
{
	return !queue->tasks.n && !queue->n_outstanding;
}

bool queue_is_quiet(const struct queue *queue)
{
	return !queue->n_outstanding;
}

void queue_count_outstanding(struct queue *queue, int change)
{
	queue->n_outstanding += change;
	queue_check_drained(queue);
	if (queue->stopping && queue->stopped && !queue->n_outstanding &&
	    !schedule_n_running(queue->schedule)) {
		void (*stopped)(void *userdata) = queue->stopped;

		queue->stopped = NULL; // once
		stopped(queue->userdata);
	}
}

/* ---- Claiming ---- */

struct claim {
	struct task_claim op;
	struct queue *queue;
};

static void on_claimed(struct store_request *request)
{
	struct claim *claim = request->userdata;
	struct queue *queue = claim->queue;
	struct live_task *task = live_task_find(&queue->tasks, claim->op.task_id);

	if (task) {
		task->changing = false;
		if (request->result < 0)
			running_retry_later(task, &request->fault);
		else if (claim->op.ret_changed)
			running_changed(task, request, claim->op.ret_task, claim->op.ret_attempt);
		else if (task_status_is_terminal(task_status_from_name(claim->op.ret_task->status)))
			running_let_go(task); // its last claim was one too many
		else
			queue_place(queue, task); // held on the way
	}
	store_request_done(request);
	free(claim);
	queue_claim_next(queue);
	queue_count_outstanding(queue, -1);
}

static int claim_task(struct queue *queue, struct live_task *task)
{
	struct claim *claim = calloc(1, sizeof(*claim));
	int r;

	if (!claim)
		return -ENOMEM;
	r = schedule_run(queue->schedule, &task->schedule);
	if (r < 0) {
		free(claim);
		return r;
	}
	claim->queue = queue;
	task->changing = true;
	claim->op.task_id = task->id;
	claim->op.trial = task->suspect;
	if (task->suspect)
		trial_begin(task);
	store_request_init(&claim->op.request, queue->options.loop, on_claimed, claim);
	queue_count_outstanding(queue, 1);
	store_task_claim(queue->options.store, &claim->op);
	return 0;
}

void queue_claim_next(struct queue *queue)
{
	struct schedule_entry *entry;
	struct live_task *suspect;

	suspect = queue_is_open(queue) ? trial_next(queue) : NULL;
	if (suspect && claim_task(queue, suspect) < 0)
		return;
	while (queue_may_start(queue) && (entry = schedule_next(queue->schedule))) {
		struct live_task *task =
			(struct live_task *)((char *)entry - offsetof(struct live_task, schedule));

		if (claim_task(queue, task) < 0)
			return; // the next task that ends tries again
	}
}

void queue_leave(struct queue *queue, struct live_task *task)
{
	task->left = true;
	trial_end(task);
	schedule_leave(queue->schedule, &task->schedule);
}

void queue_place(struct queue *queue, struct live_task *task)
{
	int r;

	if (task->run || task->changing || task->left)
		return;
	trial_end(task);
	queue->trial.wanted = queue->trial.wanted || task->suspect;
	r = task->lasting_hold ? schedule_hold(queue->schedule, &task->schedule) :
				 schedule_wait(queue->schedule, &task->schedule);
	if (r < 0)
		log_error("task %" PRId64 ": out of memory; it goes on at the next start", task->id);
}

/* ---- What only memory knows ---- */

void queue_overlay(struct queue *queue, struct ellu_task *record)
{
	struct live_task *task = live_task_find(&queue->tasks, record->id);

	if (!task || task_status_is_terminal(task_status_from_name(record->status)))
		return;
	if (!record->hold)
		record->hold = queue_moment_hold(task);
	record->hold_reason = queue_hold_reason(task, record->hold);
	record->running_seconds += (double)run_clock_elapsed(task) / USEC_PER_SEC;
}

static const char storage_hold[] = "storage";

const char *queue_moment_hold(const struct live_task *task)
{
	if (task_status_is_terminal(task->status))
		return NULL;
	/* Also one whose run gave up: only the store can say so. */
	if (task->queue->trouble && (task->run || task->status == TASK_STARTED))
		return storage_hold;
	return task->run ? task->work_hold : NULL;
}

const char *queue_hold_reason(const struct live_task *task, const char *hold)
{
	return hold == storage_hold ? store_trouble_text(task->queue->trouble) : NULL;
}

void live_task_show_hold(struct live_task *task)
{
	const char *shown = task->hold;

	running_set_hold(task);
	if (task->hold != shown)
		live_task_publish_progress(task);
}

int64_t queue_n_on_hold(const struct queue *queue)
{
	return live_tasks_n_on_hold(&queue->tasks);
}

static void show_trouble(struct live_task *task)
{
	running_set_hold(task);
	live_task_publish_progress(task);
}

void queue_storage_trouble(struct queue *queue, enum store_trouble trouble)
{
	queue->trouble = trouble;
	if (trouble)
		log_about(LOG_ERR, ABOUT(.message = LOG_STORAGE_FULL),
			  "running tasks are on hold: %s", store_trouble_text(trouble));
	else
		log_about(LOG_NOTICE, ABOUT(.message = LOG_STORAGE_ROOM),
			  "the database is written again: tasks go on");
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
	task->lasting_hold = running_lasting_hold(pending->hold);
	task->suspect = pending->suspect;
	running_set_hold(task);
	queue_place(queue, task);
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

/* What a stop or a drain does with a task, whenever it comes upon it. */
void queue_halt(struct live_task *task)
{
	struct queue *queue = task->queue;

	if (queue->revoking)
		running_revoke(task);
	else if (queue->stopping || queue->draining)
		running_give_back(task);
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
	live_tasks_each(&queue->tasks, queue_halt);
	queue_count_outstanding(queue, 0);
}

void queue_hurry(struct queue *queue)
{
	store_hurry(queue->options.store);
	live_tasks_each(&queue->tasks, abort_task);
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
	r = log_lane_init(&queue->log_lane, options->loop);
	if (r == 0)
		r = schedule_new(&options->limits, &queue->schedule);
	if (r == 0)
		r = trial_init(queue);
	if (r == 0)
		r = rejections_new(&queue->rejections);
	if (r == 0)
		r = work_new(options->n_workers, options->loop, options->store, options->backend,
			     &events, &queue->work);
	if (r < 0) {
		queue_free(queue);
		return r;
	}
	*ret_queue = queue;
	return 0;
}

static void remove_task(struct live_task *task)
{
	live_task_remove(&task->queue->tasks, task);
}

struct queue *queue_free(struct queue *queue)
{
	if (!queue)
		return NULL;
	work_free(queue->work);
	live_tasks_each(&queue->tasks, remove_task);
	log_lane_done(&queue->log_lane);
	trial_done(&queue->trial);
	rejections_free(queue->rejections);
	schedule_free(queue->schedule);
	free(queue);
	return NULL;
}
