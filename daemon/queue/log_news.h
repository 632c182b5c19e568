/*
 * Log lines of a task that are committed and not told yet. What is committed together is told
 * together: lines gather while a turn of the loop takes the store's answers, and go out as one
 * event when there are no more.
 */
#pragma once

#include <stdint.h>

#include "daemon/store/tasks.h"

struct event;
struct live_task;
struct loop;

struct log_news {
	struct live_task *next; // log_lane::first
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

/* All of a queue. */
struct log_lane {
	struct live_task *first; // with lines that wait
	struct event *timer; // active: tells them in this turn
};

int log_lane_init(struct log_lane *lane, struct loop *loop);
void log_lane_done(struct log_lane *lane);

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
