/*
 * Submissions: a place in the queue is taken before the store is asked, so that what is answered
 * at once cannot overrun a limit; the store's answer turns it into a live task, or gives it back.
 */
#include <inttypes.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/queue/queue_state.h"
#include "daemon/queue/running.h"

static int adopt(struct queue *queue, const struct queue_submission *submission)
{
	const struct ellu_task *record = submission->op->ret_task;
	struct live_task *task;
	int r = live_task_add(&queue->tasks, queue, record->id, &task);

	if (r < 0)
		return r;
	task->schedule.uid = record->owner_uid;
	task->schedule.turn.priority = task_priority_from_name(record->priority);
	if (submission->op->ret_attempt)
		r = schedule_run(queue->schedule, &task->schedule);
	else
		r = schedule_wait(queue->schedule, &task->schedule);
	if (r < 0) {
		live_task_remove(&queue->tasks, task);
		return r;
	}
	running_adopt(task, record);
	if (submission->op->ret_attempt)
		running_start(task, record, submission->op->ret_attempt);
	else
		queue_halt(task);
	return 0;
}

static void on_submitted(struct store_request *request)
{
	struct queue_submission *submission = request->userdata;
	struct queue *queue = submission->queue;
	const struct task_submit *op = submission->op;
	bool made = request->result == 0 && !op->ret_existing;
	enum task_status status =
		made ? task_status_from_name(op->ret_task->status) : _TASK_STATUS_INVALID;

	if (op->start)
		schedule_unreserve(queue->schedule, op->scope.uid, submission->priority);
	if (status == TASK_REJECTED)
		rejections_add(queue->rejections, op->scope.uid, clock_monotonic_usec());
	else if (made && !task_status_is_terminal(status) && adopt(queue, submission) < 0)
		log_error("task %" PRId64 ": out of memory; it runs at the next start",
			  op->ret_task->id);
	if (made && op->ret_task->retry_of)
		(void)backend_lift_pauses(queue->options.backend, op->ret_task->owner_uid);
	schedule_admitted(queue->schedule, op->scope.uid);
	submission->done(submission);
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
	struct task_submit *op = submission->op;
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
	submission->post(queue->options.store, op);
}
