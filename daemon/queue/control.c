/*
 * What owners want of a live task: cancelled, paused, resumed, tuned. The store decides and commits;
 * what follows from it for the schedule and the worker is done when it has answered, so that a
 * claim or an end that was on its way at the same time finds either the old task or the new one.
 */
#include <errno.h>
#include <inttypes.h>

#include "daemon/base/log.h"
#include "daemon/queue/queue_state.h"
#include "daemon/queue/run_clock.h"
#include "daemon/queue/running.h"

/* ---- Cancelling ---- */

static void on_cancelled(struct store_request *request)
{
	struct queue_cancel *cancel = request->userdata;
	struct queue *queue = cancel->queue;
	struct live_task *task = live_task_find(&queue->tasks, cancel->op.task_id);

	if (task && request->result == 0 && cancel->op.ret_changed)
		running_changed(task, request, cancel->op.ret_task, 0);
	cancel->done(cancel);
	queue_claim_next(queue);
	queue_count_outstanding(queue, -1);
}

void queue_cancel_task(struct queue *queue, struct queue_cancel *cancel)
{
	struct live_task *task = live_task_find(&queue->tasks, cancel->op.task_id);

	cancel->queue = queue;
	cancel->op.status = TASK_REVOKED;
	cancel->op.attempt = 0;
	cancel->op.asked = true;
	if (task)
		cancel->op.running_usec = run_clock_elapsed(task);
	store_request_init(&cancel->op.request, queue->options.loop, on_cancelled, cancel);
	queue_count_outstanding(queue, 1);
	store_task_change(queue->options.store, &cancel->op);
}

/* ---- Pausing and resuming ---- */

static void on_paused(struct store_request *request)
{
	struct queue_pause *pause = request->userdata;
	struct queue *queue = pause->queue;
	struct live_task *task = live_task_find(&queue->tasks, pause->op.task_id);

	if (task && request->result == 0 && pause->op.ret_changed)
		running_held(task, request, pause->op.ret_task);
	/* Whoever resumes does not want to wait out what an endpoint once asked for. */
	if (request->result == 0 && pause->op.resume)
		(void)backend_lift_pauses(queue->options.backend, pause->op.ret_task->owner_uid);
	pause->done(pause);
	queue_claim_next(queue);
	queue_count_outstanding(queue, -1);
}

void queue_pause_task(struct queue *queue, struct queue_pause *pause)
{
	pause->queue = queue;
	store_request_init(&pause->op.request, queue->options.loop, on_paused, pause);
	queue_count_outstanding(queue, 1);
	store_task_pause(queue->options.store, &pause->op);
}

/* ---- Tuning ---- */

static void tune(struct live_task *task, const struct task_tune *op)
{
	const struct ellu_task *record = op->ret_task;
	const struct work_tuning tuning = running_tuning(record);

	log_news_add(task, &(struct log_line){ op->ret_line_sequence, op->request.first_event,
					       op->ret_at, op->ret_line });
	schedule_set_priority(task->queue->schedule, &task->schedule,
			      task_priority_from_name(record->priority));
	if (op->ret_released)
		running_held(task, &op->request, record);
	if (task->run && work_tune(task->run, &tuning) < 0)
		log_error("task %" PRId64 ": out of memory: it is tuned when it is started again",
			  task->id);
}

static void on_tuned(struct store_request *request)
{
	struct queue_tune *change = request->userdata;
	struct queue *queue = change->queue;
	struct live_task *task = live_task_find(&queue->tasks, change->op.task_id);

	if (task && request->result == 0 && change->op.ret_line)
		tune(task, &change->op);
	change->done(change);
	queue_claim_next(queue);
	queue_count_outstanding(queue, -1);
}

void queue_tune_task(struct queue *queue, struct queue_tune *change)
{
	change->queue = queue;
	store_request_init(&change->op.request, queue->options.loop, on_tuned, change);
	queue_count_outstanding(queue, 1);
	store_task_tune(queue->options.store, &change->op);
}
