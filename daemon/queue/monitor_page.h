/*
 * A page of what happened to tasks. Monitors of one caller that are as far as each other share it: it is read
 * once, and made into replies once. Each takes it in its own turn, and who leaves it last frees it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/share.h"
#include "daemon/store/events.h"

struct event;
struct monitor_page;
struct queue;

/* A task that was not shown yet, or an event. */
struct monitor_reply {
	const struct ellu_task *task;
	const struct ellu_task_event *event;
	struct events_position position; // behind it
	struct share share;
};

/* What is read: what one caller may see behind a position. */
struct monitor_query {
	struct scope scope;
	int64_t uid;
	struct events_position position;
};

/* Lies in who reads. */
struct monitor_reader {
	struct monitor_page *page; // NULL: it reads none
	struct monitor_reader *next; // monitor_page::readers, until it is told that the page is there
	struct monitor_reader **link;
	/* The page is there; reading it took so long, told to one of them. */
	void (*ready)(struct monitor_reader *reader, int64_t took_usec);
};

struct monitor_page {
	struct monitor_page *next; // monitors::pages
	struct monitor_page **link;
	struct queue *queue;
	struct monitor_query query;
	int64_t stored_number; // monitors::number and ::n_moves when it was asked for
	int64_t n_moves;
	int n_uses; // the store, and who reads; the last one frees
	bool shared;
	bool is_there;
	struct monitor_reader *readers; // to be told so
	struct event *timer; // time to tell more of them
	union {
		struct store_request request;
		struct events_tasks_page tasks;
		struct events_page events;
	} op;
	struct monitor_reply *replies; // once it is there
	size_t n_replies;
	struct events_position position; // behind all of them
	bool is_last; // nothing was left to read behind it
};

/* Whether another one reads the same, or has read it just now. */
bool monitor_page_join(struct queue *queue, const struct monitor_query *query,
		       struct monitor_reader *reader);
/* -ENOMEM. */
int monitor_page_read(struct queue *queue, const struct monitor_query *query,
		      struct monitor_reader *reader);
/* Nothing happens to who reads none. */
void monitor_page_leave(struct monitor_reader *reader);
