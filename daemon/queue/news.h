/*
 * What is told of a task to those who watch it, or all: changes as they are committed, progress and log
 * lines. Lines that are committed together make one event: they gather while a turn of the loop takes
 * the store's answers.
 */
#pragma once

#include "daemon/queue/live.h"

struct log_backlog;

/* ---- What happens to a task ---- */

/* A durable change, or log lines: to every watch, once and in order. `share` lies beside `news`. */
void news_publish(struct live_task *task, const struct task_news *news, struct share *share);
/* Progress or a hold of the moment: to each watch at its own pace. */
void news_publish_progress(struct live_task *task);
/* Calls of tools, which somebody is to answer: at once. */
void news_publish_tool_calls(struct live_task *task);
/* It goes: what waits is told, and its watches read the rest from the store. */
void news_end(struct live_task *task);

/* ---- Lines that were just committed ---- */

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
