/*
 * A live task and its state. What else is known of the task has to go with the state: its status
 * in the store, its place in the schedule, its hold, and whether a worker has it. Each state has
 * a row of what may go with it, and debug builds look it up on every move.
 */
#include "daemon/queue/live_task.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/queue/queue_state.h"
#include "daemon/queue/trial.h"
#include "daemon/work/work.h"

/* ---- What was told of it ---- */

void task_told_done(struct task_told *told)
{
	share_done(&told->share);
	free(told->text);
	told->text = NULL;
}

/* ---- The table of tasks ---- */

static struct live_task **bucket_of(struct live_tasks *tasks, int64_t id)
{
	return &tasks->buckets[(uint64_t)id % LIVE_TASK_BUCKETS];
}

struct live_task *live_task_find(struct live_tasks *tasks, int64_t id)
{
	for (struct live_task *task = *bucket_of(tasks, id); task; task = task->next)
		if (task->id == id)
			return task;
	return NULL;
}

int live_task_add(struct live_tasks *tasks, struct queue *queue, int64_t id,
		  struct live_task **ret_task)
{
	struct live_task **bucket = bucket_of(tasks, id);
	struct live_task *task = calloc(1, sizeof(*task));

	if (!task)
		return -ENOMEM;
	task->queue = queue;
	task->id = task->schedule.turn.age = id;
	arena_init(&task->progress_arena);
	task->watches = (struct audiences){ .kind = tasks->watch_audience, .loop = queue->options.loop };
	task->next = *bucket;
	*bucket = task;
	tasks->n++;
	*ret_task = task;
	return 0;
}

struct live_task *live_task_remove(struct live_tasks *tasks, struct live_task *task)
{
	struct live_task **link = bucket_of(tasks, task->id);

	live_task_forget_progress_event(task);
	for (size_t i = 0; i < TOLD_MAX; i++)
		task_told_done(&task->told[i]);
	while (*link != task)
		link = &(*link)->next;
	*link = task->next;
	tasks->n--;
	if (task->limit_timer)
		event_free(task->limit_timer);
	free(task->hold_reason);
	arena_done(&task->progress_arena);
	llm_stream_unref(task->stream);
	arena_done(&task->tools_arena);
	free(task);
	return NULL;
}

void live_tasks_each(struct live_tasks *tasks, void (*visit)(struct live_task *task))
{
	for (size_t i = 0; i < LIVE_TASK_BUCKETS; i++) {
		struct live_task *task = tasks->buckets[i];

		while (task) {
			struct live_task *next = task->next; // the visit may remove the task

			visit(task);
			task = next;
		}
	}
}

/* ---- The state ---- */

#define HAS(value) (1u << (value))
#define ALIVE (HAS(TASK_PENDING) | HAS(TASK_STARTED))
#define TERMINAL (HAS(_TASK_STATUS_MAX) - 1 - ALIVE)
#define ANY_PLACE (HAS(SCHEDULE_WAITS) | HAS(SCHEDULE_HELD) | HAS(SCHEDULE_RUNS))
#define AT_WORK (HAS(SCHEDULE_RUNS) | HAS(SCHEDULE_HELD)) // held, while a provider has its batch
#define HOLD HAS(true)
#define NO_HOLD HAS(false)

static const struct live_state_row {
	unsigned statuses;
	unsigned places;
	unsigned holds; // that last
	bool has_run;
} rows[_LIVE_STATE_MAX] = {
	[LIVE_NEW] = { ALIVE, HAS(SCHEDULE_NOWHERE), HOLD | NO_HOLD, false },
	[LIVE_WAITING] = { HAS(TASK_PENDING), HAS(SCHEDULE_WAITS), NO_HOLD, false },
	[LIVE_HELD] = { HAS(TASK_PENDING), HAS(SCHEDULE_HELD), HOLD, false },
	[LIVE_CLAIMING] = { HAS(TASK_PENDING), HAS(SCHEDULE_RUNS), HOLD | NO_HOLD, false },
	[LIVE_RUNNING] = { HAS(TASK_STARTED), AT_WORK, HOLD | NO_HOLD, true },
	[LIVE_ENDING] = { HAS(TASK_STARTED), AT_WORK, HOLD | NO_HOLD, true },
	[LIVE_CLOSING] = { ALIVE, ANY_PLACE, HOLD | NO_HOLD, false }, // waiting, if revoked
	[LIVE_OVER] = { TERMINAL, AT_WORK, NO_HOLD, true },
	[LIVE_LEFT] = { ALIVE, HAS(SCHEDULE_NOWHERE), HOLD | NO_HOLD, false },
};

static void check_state(const struct live_task *task)
{
	const struct live_state_row *row = &rows[task->state];

	assert(row->statuses & HAS(task->status));
	assert(row->places & HAS(task->schedule.place));
	assert(row->holds & HAS(task->lasting_hold != NULL));
	assert(row->has_run == (task->run != NULL));
	assert(row->has_run || !task->run_since_usec);
	(void)row;
}

/* Where the row leaves a choice, the task stays where it is. */
static int take_place(struct live_task *task, unsigned places)
{
	struct schedule *schedule = task->queue->schedule;

	if (places & HAS(task->schedule.place))
		return 0;
	if (places & HAS(SCHEDULE_RUNS))
		return schedule_run(schedule, &task->schedule);
	if (places & HAS(SCHEDULE_WAITS))
		return schedule_wait(schedule, &task->schedule);
	if (places & HAS(SCHEDULE_HELD))
		return schedule_hold(schedule, &task->schedule);
	schedule_leave(schedule, &task->schedule);
	return 0;
}

int live_task_move(struct live_task *task, enum live_state state)
{
	int r = take_place(task, rows[state].places);

	if (r < 0) {
		log_error("task %" PRId64 ": out of memory; it goes on at the next start", task->id);
		state = LIVE_LEFT;
	}
	task->state = state;
	if (task->schedule.place != SCHEDULE_RUNS)
		trial_end(task);
	live_task_set_clock(task);
	check_state(task);
	return r;
}

void live_task_set_work_hold(struct live_task *task, const char *hold)
{
	struct schedule *schedule = task->queue->schedule;
	bool waits = hold && strcmp(hold, ELLU_HOLD_BATCH) == 0;

	task->work_hold = hold;
	/* It takes nobody's place meanwhile. */
	if (rows[task->state].places == AT_WORK && waits != (task->schedule.place == SCHEDULE_HELD)) {
		(void)(waits ? schedule_hold(schedule, &task->schedule) :
			       schedule_run(schedule, &task->schedule)); // it has an entry
		task->queue->n_aside += waits ? 1 : -1;
	}
	live_task_set_clock(task);
}

int live_task_place(struct live_task *task)
{
	trial_want(task);
	return live_task_move(task, task->lasting_hold ? LIVE_HELD : LIVE_WAITING);
}

/* ---- Holds ---- */

const char *live_task_moment_hold(const struct live_task *task)
{
	if (task_status_is_terminal(task->status))
		return NULL;
	/* Also one whose run gave up: only the store can say so. */
	if (task->queue->trouble && (task->run || task->status == TASK_STARTED))
		return ELLU_HOLD_STORAGE;
	return task->run ? task->work_hold : NULL;
}

const char *live_task_hold(const struct live_task *task)
{
	return task->lasting_hold ? task->lasting_hold : live_task_moment_hold(task);
}

void live_task_set_hold(struct live_task *task, const char *hold, const char *reason)
{
	free(task->hold_reason);
	task->hold_reason = reason ? strdup(reason) : NULL;
	task->lasting_hold = hold;
	if (hold && strcmp(hold, ELLU_HOLD_BUDGET) == 0)
		event_active(task->queue->day, EV_TIMEOUT, 0); // waits for the next one anew: clocks are set
}

const char *live_task_hold_reason(const struct live_task *task, const char *hold)
{
	if (hold && task->lasting_hold && strcmp(hold, task->lasting_hold) == 0)
		return task->hold_reason;
	if (hold && strcmp(hold, ELLU_HOLD_BATCH) == 0)
		return "its provider has the cases as a batch, which may take a day";
	if (hold && strcmp(hold, ELLU_HOLD_STORAGE) == 0)
		return store_trouble_text(task->queue->trouble);
	return NULL;
}

/* ---- The clock ---- */

int64_t live_task_elapsed(const struct live_task *task)
{
	int64_t ticking = task->run_since_usec ? clock_monotonic_usec() - task->run_since_usec : 0;

	return task->run_counted_usec + ticking;
}

static int64_t time_left(const struct live_task *task)
{
	return task->time_limit_usec - task->run_before_usec - live_task_elapsed(task);
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
		task->queue->tasks.time_is_up(task);
}

static void arm_time_limit(struct live_task *task)
{
	if (!task->limit_timer)
		task->limit_timer = event_new(loop_base(task->queue->options.loop), -1, 0,
					      on_time_limit, task);
	if (!task->limit_timer || wait_for_limit(task) < 0)
		log_error("task %" PRId64 ": out of memory: its time limit is not watched",
			  task->id);
}

void live_task_set_clock(struct live_task *task)
{
	const char *hold = live_task_hold(task);
	bool ticks = rows[task->state].has_run && task->status == TASK_STARTED &&
		     (!hold || strcmp(hold, ELLU_HOLD_PROVIDER) == 0);

	if (ticks == (task->run_since_usec != 0))
		return;
	if (ticks) {
		task->run_since_usec = clock_monotonic_usec();
		arm_time_limit(task);
	} else {
		task->run_counted_usec = live_task_elapsed(task);
		task->run_since_usec = 0;
		if (task->limit_timer)
			event_del(task->limit_timer);
	}
}

void live_task_reset_clock(struct live_task *task)
{
	task->run_counted_usec = task->run_since_usec = 0;
	if (task->limit_timer)
		event_del(task->limit_timer);
}

/* ---- What only memory knows ---- */

void queue_overlay(struct queue *queue, struct ellu_task *record)
{
	struct live_task *task = live_task_find(&queue->tasks, record->id);
	enum task_status status = task_status_from_name(record->status);

	if (task_status_is_terminal(status))
		return;
	/* It ran when the daemon went down, and that it runs no more cannot be written. */
	if (!task && queue->trouble && status == TASK_STARTED) {
		record->hold = ELLU_HOLD_STORAGE;
		record->hold_reason = store_trouble_text(queue->trouble);
	}
	if (!task)
		return;
	if (!record->hold)
		record->hold = live_task_moment_hold(task);
	if (!record->hold_reason)
		record->hold_reason = live_task_hold_reason(task, record->hold);
	record->running_seconds += (double)live_task_elapsed(task) / USEC_PER_SEC;
}

/* ---- Calls of tools ---- */

int live_task_set_tool_calls(struct live_task *task, const struct ellu_tool_call *const *tool_calls, size_t n)
{
	live_task_forget_progress_event(task);
	arena_done(&task->tools_arena);
	arena_init(&task->tools_arena);
	task->tool_calls = n > 0 ? tool_calls_copy(tool_calls, n, &task->tools_arena) : NULL;
	task->n_tool_calls = task->tool_calls ? n : 0;
	return task->n_tool_calls == n ? 0 : -ENOMEM;
}

static size_t find_tool_call(const struct live_task *task, const char *id)
{
	size_t i = 0;

	while (i < task->n_tool_calls && strcmp(task->tool_calls[i]->id, id) != 0)
		i++;
	return i;
}

bool live_task_has_tool_call(const struct live_task *task, const char *id)
{
	return find_tool_call(task, id) < task->n_tool_calls;
}

void live_task_drop_tool_call(struct live_task *task, const char *id)
{
	size_t i = find_tool_call(task, id);

	live_task_forget_progress_event(task);
	for (task->n_tool_calls--; i < task->n_tool_calls; i++)
		task->tool_calls[i] = task->tool_calls[i + 1];
}

/* ---- Progress ---- */

void live_task_forget_progress_event(struct live_task *task)
{
	share_done(&task->progress_share);
	share_done(&task->monitor_share.share);
	task->progress_event.task_id = 0;
}

const struct ellu_task_event *live_task_progress_event(struct live_task *task)
{
	struct ellu_task_event *event = &task->progress_event;

	if (event->task_id)
		return event;
	*event = ELLU_RECORD(struct ellu_task_event);
	event->task_id = task->id;
	event->sequence = task->sequence;
	event->status = task_status_name(task->status);
	event->hold = live_task_hold(task);
	event->hold_reason = live_task_hold_reason(task, event->hold);
	event->progress = task->progress;
	event->tool_calls = task->n_tool_calls > 0 ?
				    (const struct ellu_tool_call *const *)task->tool_calls : NULL;
	event->n_tool_calls = task->n_tool_calls;
	event->at = clock_wall_usec();
	return event;
}

static bool is_behind(const struct ellu_progress *progress, const struct ellu_progress *kept)
{
	return progress->percent_complete < kept->percent_complete ||
	       progress->responses_generated < kept->responses_generated ||
	       progress->responses_rated < kept->responses_rated;
}

void live_task_set_progress(struct live_task *task, const struct ellu_progress *progress)
{
	const void *copy;

	if (task->progress && (progress == task->progress || is_behind(progress, task->progress)))
		return;
	live_task_forget_progress_event(task);
	arena_done(&task->progress_arena);
	task->progress = NULL;
	if (record_copy(&ellu_progress_type, progress, &task->progress_arena, &copy) == 0)
		task->progress = copy; // or watchers see the next one
}
