#include "daemon/queue/trial.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/queue/queue_state.h"
#include "daemon/queue/rest.h"

static void clear(struct trial *trial)
{
	trial->task_id = 0;
	if (trial->timer)
		(void)evtimer_del(trial->timer);
}

/* ---- Passing ---- */

struct acquittal {
	struct task_acquit op;
	struct queue *queue;
};

static void on_acquitted(struct store_request *request)
{
	struct acquittal *acquittal = request->userdata;
	struct queue *queue = acquittal->queue;

	store_request_done(request);
	free(acquittal);
	queue_count_outstanding(queue, -1);
}

/* What is not stored is tried once more after the next crash, and no harm done. */
static void acquit(struct queue *queue, int64_t task_id)
{
	struct acquittal *acquittal = calloc(1, sizeof(*acquittal));

	if (!acquittal)
		return;
	acquittal->queue = queue;
	acquittal->op.task_id = task_id;
	store_request_init(&acquittal->op.request, queue->options.loop, on_acquitted, acquittal);
	queue_count_outstanding(queue, 1);
	store_task_acquit(queue->options.store, &acquittal->op);
}

static void on_time(evutil_socket_t fd, short events, void *userdata)
{
	struct queue *queue = userdata;
	int64_t task_id = queue->trial.task_id;

	(void)fd;
	(void)events;
	clear(&queue->trial);
	acquit(queue, task_id);
	queue->trial.over(queue);
}

/* ---- Turns ---- */

struct live_task *trial_next(struct queue *queue)
{
	struct live_task *oldest = NULL;

	if (queue->trial.task_id || !queue->trial.wanted)
		return NULL;
	for (size_t i = 0; i < LIVE_TASK_BUCKETS; i++)
		for (struct live_task *task = queue->tasks.buckets[i]; task; task = task->next)
			if (task->suspect && task->state == LIVE_WAITING &&
			    (!oldest || task->id < oldest->id))
				oldest = task;
	queue->trial.wanted = oldest != NULL;
	return oldest;
}

void trial_want(struct live_task *task)
{
	struct trial *trial = &task->queue->trial;

	trial->wanted = trial->wanted || task->suspect;
}

void trial_begin(struct live_task *task)
{
	struct trial *trial = &task->queue->trial;
	const struct timeval in = { .tv_sec = TRIAL_USEC / USEC_PER_SEC };

	trial->task_id = task->id;
	task->suspect = false;
	log_about(LOG_WARNING, ABOUT(.task = task->id, .experiment = task->experiment_id),
		  "task %" PRId64 " is tried by itself: the daemon went down more than once while it "
		  "ran beside others", task->id);
	(void)evtimer_add(trial->timer, &in);
}

void trial_end(struct live_task *task)
{
	if (task->queue->trial.task_id == task->id)
		clear(&task->queue->trial);
}

int trial_init(struct queue *queue, void (*over)(struct queue *queue))
{
	queue->trial.over = over;
	queue->trial.timer = evtimer_new(loop_base(queue->options.loop), on_time, queue);
	return queue->trial.timer ? 0 : -ENOMEM;
}

void trial_done(struct trial *trial)
{
	if (trial->timer)
		event_free(trial->timer);
}
