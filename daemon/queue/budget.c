#include "daemon/queue/budget.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/queue/live_task.h"
#include "daemon/queue/queue_state.h"
#include "daemon/queue/rest.h"
#include "daemon/queue/running.h"

#define DAY_USEC (INT64_C(86400) * USEC_PER_SEC)
#define LOOK_USEC (INT64_C(3600) * USEC_PER_SEC) // at the latest: clocks are set, and machines sleep

struct release {
	struct task_pause op;
	struct queue *queue;
};

static void on_released(struct store_request *request)
{
	struct release *release = request->userdata;
	struct queue *queue = release->queue;
	struct live_task *task = live_task_find(&queue->tasks, release->op.task_id);

	if (task && request->result == 0 && release->op.ret_changed)
		running_take_hold(task, request, release->op.ret_task);
	store_request_done(request);
	free(release);
	queue_claim_next(queue);
	queue_count_outstanding(queue, -1);
}

static int ask(struct queue *queue, const struct live_task *task)
{
	struct release *release = calloc(1, sizeof(*release));

	if (!release)
		return -ENOMEM;
	release->queue = queue;
	release->op.task_id = task->id;
	release->op.resume = true;
	release->op.of_budget = true;
	store_request_init(&release->op.request, queue->options.loop, on_released, release);
	queue_count_outstanding(queue, 1);
	store_task_pause(queue->options.store, &release->op);
	return 0;
}

static bool is_held(const struct live_task *task)
{
	return task->lasting_hold && strcmp(task->lasting_hold, ELLU_HOLD_BUDGET) == 0;
}

bool queue_release_budgets(struct queue *queue, int64_t uid)
{
	bool any = false;

	for (size_t i = 0; i < LIVE_TASK_BUCKETS; i++) {
		for (struct live_task *task = queue->tasks.buckets[i]; task; task = task->next) {
			if (!is_held(task) || (uid >= 0 && task->schedule.uid != uid))
				continue;
			if (ask(queue, task) < 0)
				return false;
			any = true;
		}
	}
	return any;
}

static void await(struct queue *queue)
{
	int64_t left = DAY_USEC - clock_wall_usec() % DAY_USEC;
	struct timeval in;

	if (left > LOOK_USEC)
		left = LOOK_USEC;
	in = (struct timeval){ .tv_sec = left / USEC_PER_SEC, .tv_usec = left % USEC_PER_SEC };
	(void)event_add(queue->day, &in);
}

static void on_day(evutil_socket_t fd, short events, void *userdata)
{
	struct queue *queue = userdata;
	int64_t day = clock_wall_usec() / DAY_USEC;

	(void)fd;
	(void)events;
	/* What is told to be on hold only after midnight may be so for the day before. */
	if (day != queue->budget_day && queue_release_budgets(queue, -1))
		queue->budget_day = day;
	await(queue);
}

int budget_init(struct queue *queue)
{
	queue->budget_day = clock_wall_usec() / DAY_USEC;
	queue->day = event_new(loop_base(queue->options.loop), -1, 0, on_day, queue);
	if (!queue->day)
		return -ENOMEM;
	await(queue);
	return 0;
}

void budget_done(struct queue *queue)
{
	if (queue->day)
		event_free(queue->day);
}
