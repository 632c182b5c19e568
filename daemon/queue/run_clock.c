#include "daemon/queue/run_clock.h"

#include <inttypes.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/queue/running.h"

int64_t run_clock_elapsed(const struct live_task *task)
{
	int64_t ticking = task->run_since_usec ? clock_monotonic_usec() - task->run_since_usec : 0;

	return task->run_counted_usec + ticking;
}

static int64_t time_left(const struct live_task *task)
{
	return task->time_limit_usec - task->run_before_usec - run_clock_elapsed(task);
}

static int wait_for_limit(struct live_task *task)
{
	int64_t left = time_left(task);
	struct timeval timeout;

	if (left < 1)
		left = 1;
	timeout.tv_sec = left / USEC_PER_SEC;
	timeout.tv_usec = left % USEC_PER_SEC;
	return event_add(task->limit_timer, &timeout);
}

static void on_time_limit(evutil_socket_t fd, short events, void *userdata)
{
	struct live_task *task = userdata;

	(void)fd;
	(void)events;
	/* The loop's clock may be a little ahead of what was counted. */
	if (time_left(task) <= 0 || wait_for_limit(task) < 0)
		running_time_is_up(task);
}

static void arm_time_limit(struct live_task *task)
{
	if (!task->limit_timer)
		task->limit_timer = event_new(loop_base(queue_loop(task->queue)), -1, 0,
					      on_time_limit, task);
	if (!task->limit_timer || wait_for_limit(task) < 0)
		log_error("task %" PRId64 ": out of memory: its time limit is not watched",
			  task->id);
}

void run_clock_set(struct live_task *task)
{
	bool ticks = task->run && task->status == TASK_STARTED &&
		     (!task->hold || strcmp(task->hold, "provider") == 0);

	if (ticks == (task->run_since_usec != 0))
		return;
	if (ticks) {
		task->run_since_usec = clock_monotonic_usec();
		arm_time_limit(task);
	} else {
		task->run_counted_usec = run_clock_elapsed(task);
		task->run_since_usec = 0;
		if (task->limit_timer)
			event_del(task->limit_timer);
	}
}

void run_clock_reset(struct live_task *task)
{
	task->run_counted_usec = task->run_since_usec = 0;
	if (task->limit_timer)
		event_del(task->limit_timer);
}
