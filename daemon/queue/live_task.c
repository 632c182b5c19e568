#include "daemon/queue/live_task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	task->next = *bucket;
	*bucket = task;
	tasks->n++;
	*ret_task = task;
	return 0;
}

struct live_task *live_task_remove(struct live_tasks *tasks, struct live_task *task)
{
	struct live_task **link = bucket_of(tasks, task->id);

	log_news_flush(task);
	live_task_detach_watches(task);
	monitors_forget(task);
	share_done(&task->progress_share);
	while (*link != task)
		link = &(*link)->next;
	*link = task->next;
	tasks->n--;
	if (task->limit_timer)
		event_free(task->limit_timer);
	arena_done(&task->progress_arena);
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

int64_t live_tasks_n_on_hold(const struct live_tasks *tasks)
{
	int64_t n = 0;

	for (size_t i = 0; i < LIVE_TASK_BUCKETS; i++)
		for (const struct live_task *task = tasks->buckets[i]; task; task = task->next)
			n += task->hold != NULL;
	return n;
}

static const struct ellu_epoch_progress *const *copy_epochs(struct arena *arena,
							     const struct ellu_progress *progress)
{
	size_t n = progress->n_epochs;
	const struct ellu_epoch_progress **epochs = arena_alloc(arena, (n + 1) * sizeof(*epochs));
	struct ellu_epoch_progress *copies = arena_alloc(arena, (n + 1) * sizeof(*copies));

	if (!epochs || !copies)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		copies[i] = *progress->epochs[i];
		epochs[i] = &copies[i];
	}
	return epochs;
}

void live_task_forget_progress_event(struct live_task *task)
{
	share_done(&task->progress_share);
	task->progress_event.task_id = 0;
}

static bool is_behind(const struct ellu_progress *progress, const struct ellu_progress *kept)
{
	return progress->percent_complete < kept->percent_complete ||
	       progress->responses_generated < kept->responses_generated ||
	       progress->responses_rated < kept->responses_rated;
}

void live_task_set_progress(struct live_task *task, const struct ellu_progress *progress)
{
	struct arena *arena = &task->progress_arena;
	struct ellu_progress *copy;

	if (task->progress && (progress == task->progress || is_behind(progress, task->progress)))
		return;
	live_task_forget_progress_event(task);
	arena_done(arena);
	arena_init(arena);
	task->progress = NULL;
	copy = arena_alloc(arena, sizeof(*copy));
	if (!copy)
		return; // watchers see the next one
	*copy = *progress;
	if (progress->cost)
		copy->cost = arena_int(arena, *progress->cost);
	if (progress->eta_seconds)
		copy->eta_seconds = arena_float(arena, *progress->eta_seconds);
	copy->epochs = copy_epochs(arena, progress);
	if (copy->epochs)
		task->progress = copy;
}
