/*
 * What is told of a task, as events: entries of the store's history, and log lines that are
 * committed and not told yet. Lines that go together make one event: in a page of the history those
 * of one task under one state, and of the others all that are committed together, which gather
 * while a turn of the loop takes the store's answers.
 */
#pragma once

#include <stdint.h>

#include "daemon/base/share.h"
#include "daemon/store/events.h"
#include "daemon/store/tasks.h"
#include "proto/arena.h"

struct event;
struct live_task;
struct loop;

/* ---- The history ---- */

/*
 * The event that begins at row `first`: one change, or a run of log lines of one task under one
 * state, as far as they make a text of EVENT_TEXT_MAX. Answers the row behind it, 0 without
 * memory. `ret_event` borrows from the rows and from `arena`.
 */
#define EVENT_TEXT_MAX 65536
size_t event_rows_gather(struct arena *arena, const struct task_event_row *rows, size_t n_rows,
			 size_t first, struct ellu_task_event *ret_event);

/* Progress, error and result of the task as it is by now. */
void event_add_outcome(struct ellu_task_event *event, const struct ellu_task *task);

struct task_news {
	int64_t first_sequence; // the first that this covers
	struct ellu_task_event event; // its sequence is the last that this covers
	int64_t last_number; // of its events, which follow each other; 0: not known
	bool terminal;
};

/* ---- Lines that were just committed ---- */

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
void task_told_done(struct task_told *told);

/* All of a queue. */
struct log_backlog {
	struct live_task *first; // with lines that wait
	struct event *timer; // active: tells them in this turn; pending: of those that rest
};

int log_backlog_init(struct log_backlog *backlog, struct loop *loop);
void log_backlog_done(struct log_backlog *backlog);

/* A line as it was committed. */
struct log_line {
	int64_t sequence;
	int64_t number;
	int64_t at;
	const char *text; // without a newline
};
void log_news_add(struct live_task *task, const struct log_line *line);
/* Tells what waits, before something else is told of the task. */
void log_news_flush(struct live_task *task);
