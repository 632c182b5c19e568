/*
 * What the queue keeps in memory of a task that waits, runs or is being watched while it does. It goes
 * when the task is terminal and its worker has let go of it.
 */
#pragma once

#include <event2/event.h>

#include "daemon/base/share.h"
#include "daemon/queue/audience.h"
#include "daemon/queue/schedule.h"
#include "daemon/store/events.h"
#include "proto/arena.h"
#include "proto/task_kind.h"
#include "proto/task_status.h"

struct llm_stream;
struct queue;
struct work_run;

/* ---- What is told of it ---- */

struct task_news {
	int64_t first_sequence; // the first that this covers
	struct ellu_task_event event; // its sequence is the last that this covers
	int64_t last_number; // of its events, which follow each other; 0: not known
	bool terminal;
};

/* Lines that were just committed. */
struct log_news {
	struct live_task *next; // log_backlog::first
	struct live_task **link; // NULL: nothing waits
	char *text;
	size_t size;
	size_t capacity;
	int64_t first_sequence;
	int64_t last_sequence;
	int64_t last_number;
	int64_t at;
	enum task_status status; // and hold, under which they were written
	const char *hold; // static text, or NULL
};

/* Lines that were told lately, for who could not be told at once. */
#define TOLD_MAX 4
struct task_told {
	struct task_news news;
	char *text; // of its event; NULL: none were
	struct share share;
};

/* What those monitors share that are as far as each other. */
struct monitor_share {
	struct events_position position;
	struct share share;
};

/* ---- The task ---- */

/* Where a task is. What goes with each state is a row of the table in live_task.c. */
enum live_state {
	LIVE_NEW, // from live_task_add() to its first move
	LIVE_WAITING, // for its turn
	LIVE_HELD, // the same, without one
	LIVE_CLAIMING, // it has a slot; its claim is with the store
	LIVE_RUNNING, // a worker has it
	LIVE_ENDING, // a worker has it; its end is with the store
	LIVE_CLOSING, // no worker has it; its end is with the store
	LIVE_OVER, // it has ended, and its worker has yet to let go
	LIVE_LEFT, // the queue is done with it until the daemon starts again
	_LIVE_STATE_MAX,
};

struct live_task {
	struct live_task *next; // queue's table
	struct queue *queue;
	int64_t id;
	int64_t experiment_id;
	enum task_kind kind;
	int64_t attempt;
	int64_t sequence; // the last one published
	int64_t number; // of the last event published
	int64_t sequence_read; // the last one that a monitor had from the store
	enum live_state state; // live_task_move() alone changes it
	enum task_status status; // what lies in the task's row, and the next
	char *hold_reason; // of that, or NULL
	const char *lasting_hold; // static text, or NULL, here and below
	const char *work_hold; // what its worker says of the moment
	struct schedule_entry schedule;
	bool suspect; // of bringing the daemon down: it is tried by itself first
	struct work_run *run; // NULL: no worker has it
	struct llm_stream *stream; // a reference, or NULL
	int64_t run_since_usec; // monotonic; 0: the time that passes is no running time
	int64_t run_counted_usec; // running time of this claim before that
	int64_t run_before_usec; // running time of earlier claims
	int64_t time_limit_usec;
	struct event *limit_timer;
	struct arena tools_arena;
	const struct ellu_tool_call **tool_calls; // that it waits for
	size_t n_tool_calls;
	struct arena progress_arena;
	const struct ellu_progress *progress; // NULL: none yet
	struct ellu_task_event progress_event; // task_id 0: not made yet
	struct share progress_share; // of `progress_event`, and the next
	struct monitor_share monitor_share;
	struct log_news log;
	int64_t log_rests_until_usec; // those lines, for the sake of the loop
	struct task_told told[TOLD_MAX]; // the last one at n_told - 1
	unsigned n_told;
	struct live_task *moved_next; // monitors::moved
	struct live_task **moved_link;
	int64_t n_moves; // monitors::n_moves when its progress moved last
	struct audiences watches; // those that are caught up or will be
	uint64_t n_progress; // how often it was to be told
	uint64_t n_urgent_progress; // the last time of those that is to be told at once
	const struct task_news *news; // what is being told, and its share; or NULL
	struct share *news_share;
};

#define LIVE_TASK_BUCKETS 1024

struct live_tasks {
	struct live_task *buckets[LIVE_TASK_BUCKETS];
	int64_t n;
	const struct audience_kind *watch_audience; // of each one's watches
	void (*time_is_up)(struct live_task *task); // it ran for its time limit
};
