#include "daemon/queue/steering.h"

#include <errno.h>
#include <inttypes.h>

#include "daemon/base/log.h"
#include "daemon/queue/live_task.h"
#include "daemon/queue/news.h"
#include "daemon/queue/queue_state.h"
#include "daemon/queue/rest.h"
#include "daemon/queue/running.h"
#include "daemon/work/work.h"

static void tune(struct live_task *task, const struct task_tune *op)
{
	const struct ellu_task *record = op->ret_task;
	const struct work_tuning tuning = running_tuning(record);

	log_news_add(task, &(struct log_line){ op->ret_line_sequence, op->request.first_event,
					       op->ret_at, op->ret_line });
	schedule_set_priority(task->queue->schedule, &task->schedule,
			      task_priority_from_name(record->priority));
	if (op->ret_released)
		running_take_hold(task, &op->request, record);
	if (task->run && work_tune(task->run, &tuning) < 0)
		log_error("task %" PRId64 ": out of memory: it is tuned when it is started again",
			  task->id);
}

/* `task` is NULL unless it is live, and the change was made. */
static const struct ellu_task *take_steering(struct queue_steering *steering, struct live_task *task)
{
	const struct store_request *request = &steering->request;

	switch (steering->what) {
	case QUEUE_CANCEL:
		if (task && steering->cancel.ret_changed)
			running_take_change(task, request, steering->cancel.ret_task, 0);
		return steering->cancel.ret_task;
	case QUEUE_PAUSE:
		if (task && steering->pause.ret_changed)
			running_take_hold(task, request, steering->pause.ret_task);
		/* Whoever resumes does not want to wait out what an endpoint once asked for. */
		if (request->result == 0 && steering->pause.resume)
			(void)backend_lift_pauses(steering->queue->options.backend,
						  steering->pause.ret_task->owner_uid);
		return steering->pause.ret_task;
	default:
		if (task && steering->tune.ret_line)
			tune(task, &steering->tune);
		return steering->tune.ret_task;
	}
}

static void on_steered(struct store_request *request)
{
	struct queue_steering *steering = request->userdata;
	struct queue *queue = steering->queue;
	struct live_task *task = live_task_find(&queue->tasks, steering->task_id);

	steering->done(steering, take_steering(steering, request->result == 0 ? task : NULL));
	queue_claim_next(queue);
	queue_count_outstanding(queue, -1);
}

void queue_steer_task(struct queue *queue, struct queue_steering *steering)
{
	const struct live_task *task = live_task_find(&queue->tasks, steering->task_id);
	struct store *store = queue->options.store;

	steering->queue = queue;
	store_request_init(&steering->request, queue->options.loop, on_steered, steering);
	queue_count_outstanding(queue, 1);
	switch (steering->what) {
	case QUEUE_CANCEL:
		steering->cancel.task_id = steering->task_id;
		steering->cancel.status = TASK_REVOKED;
		steering->cancel.asked = true;
		if (task)
			steering->cancel.running_usec = live_task_elapsed(task);
		store_task_change(store, &steering->cancel);
		break;
	case QUEUE_PAUSE:
		steering->pause.task_id = steering->task_id;
		store_task_pause(store, &steering->pause);
		break;
	case QUEUE_TUNE:
		steering->tune.task_id = steering->task_id;
		store_task_tune(store, &steering->tune);
		break;
	}
}

int queue_take_tool_result(struct queue *queue, int64_t task_id, const char *tool_call_id, const char *content)
{
	struct live_task *task = live_task_find(&queue->tasks, task_id);
	int r;

	if (!task || !task->run || task->state != LIVE_RUNNING ||
	    !live_task_has_tool_call(task, tool_call_id))
		return -ENOENT;
	r = work_take_tool_result(task->run, tool_call_id, content);
	if (r == 0)
		live_task_drop_tool_call(task, tool_call_id);
	return r;
}
