/*
 * A live task: what the queue keeps in memory of a task that waits, runs or is being watched
 * while it does. It goes when the task is terminal and its worker has let go of it.
 */
#pragma once

#include <event2/event.h>

#include "daemon/base/share.h"
#include "daemon/queue/log_news.h"
#include "daemon/queue/monitor.h"
#include "daemon/queue/queue.h"
#include "daemon/queue/schedule.h"
#include "proto/arena.h"
#include "proto/task_kind.h"
#include "proto/task_status.h"

struct watch;
struct work_run;

struct live_task {
	struct live_task *next; // queue's table
	struct queue *queue;
	int64_t id;
	int64_t experiment_id;
	enum task_kind kind;
	int64_t attempt;
	int64_t sequence; // the last one published
	int64_t sequence_read; // the last one that a monitor had from the store
	enum task_status status;
	const char *hold; // static text, or NULL, here and below: the one of these that is shown
	const char *lasting_hold; // what lies in the task's row
	const char *work_hold; // what its worker says of the moment
	bool changing; // a change of status is on its way through the store
	struct schedule_entry schedule;
	bool left; // the schedule, until the daemon starts again
	bool suspect; // of bringing the daemon down: it is tried by itself first
	struct work_run *run; // NULL: no worker has it
	int64_t run_since_usec; // monotonic; 0: the time that passes is no running time
	int64_t run_counted_usec; // running time of this claim before that
	int64_t run_before_usec; // running time of earlier claims
	int64_t time_limit_usec;
	struct event *limit_timer;
	struct arena progress_arena;
	struct ellu_progress *progress; // NULL: none yet
	struct ellu_task_event progress_event; // task_id 0: not made yet
	struct share progress_share; // of `progress_event`
	struct log_news log;
	struct live_task *moved_next; // monitors::moved
	struct live_task **moved_link;
	int64_t n_moves; // monitors::n_moves when its progress moved last
	struct watch *watches; // those that are caught up or will be
};

#define LIVE_TASK_BUCKETS 1024

struct live_tasks {
	struct live_task *buckets[LIVE_TASK_BUCKETS];
	int64_t n;
};

struct live_task *live_task_find(struct live_tasks *tasks, int64_t id);
int live_task_add(struct live_tasks *tasks, struct queue *queue, int64_t id,
		  struct live_task **ret_task);
struct live_task *live_task_remove(struct live_tasks *tasks, struct live_task *task);
int64_t live_tasks_n_on_hold(const struct live_tasks *tasks);
void live_tasks_each(struct live_tasks *tasks, void (*visit)(struct live_task *task));

/* Keeps a copy of `progress`, unless what is kept is ahead of it: what was read from the store may
 * be ahead of what a worker told on its way, and what was told once never falls. */
void live_task_set_progress(struct live_task *task, const struct ellu_progress *progress);

/* ---- What watches are told (watch.c) ---- */

struct task_news {
	int64_t first_sequence; // the first that this covers
	struct ellu_task_event event; // its sequence is the last that this covers
	int64_t last_number; // of its events, which follow each other; 0: not known
	bool terminal;
};

/* A durable change, or log lines: to every watch, once and in order. */
void live_task_publish(struct live_task *task, const struct task_news *news);
/* Progress or a hold of the moment: to each watch at its own pace. */
void live_task_publish_progress(struct live_task *task);
/* The progress as an event, as of now. */
const struct ellu_task_event *live_task_progress_event(struct live_task *task);
void live_task_forget_progress_event(struct live_task *task); // something in it changes
/* Decides which hold is shown, and publishes it if it is another one. */
void live_task_show_hold(struct live_task *task);
/* Takes the watches off a task that goes; they read the rest from the store. */
void live_task_detach_watches(struct live_task *task);

/* ---- The watches' view of the queue (queue.c) ---- */

struct live_tasks *queue_tasks(struct queue *queue);
struct monitors *queue_monitors(struct queue *queue);
struct log_lane *queue_log_lane(struct queue *queue);
struct store *queue_store(struct queue *queue);
struct loop *queue_loop(struct queue *queue);
void queue_count_watch(struct queue *queue, int change);
