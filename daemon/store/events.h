/*
 * Reading the histories of tasks: of one by its sequence, or of all that a caller may see by the
 * events' one number. A page is read in one transaction and says how far it saw.
 */
#pragma once

#include "daemon/store/engine/method.h"
#include "elluminate-types.h"
#include "proto/task_status.h"

/* One entry of a task's history. */
struct task_event_row {
	int64_t task_id;
	int64_t sequence;
	int64_t number;
	int64_t at;
	enum task_status status; // after this event
	const char *hold; // after this event; NULL: none
	const char *line; // NULL: a change of status or hold
	/* The task: at its last event as it is by now, and in pages over all tasks at the first event
	 * of one that is not known yet as it was then. Else NULL. */
	const struct ellu_task *task;
};

/* A page is short: thousands who watch may read one at the same time. */
#define EVENTS_PAGE_MAX 256

/* What came after `after_sequence`, ascending, at most EVENTS_PAGE_MAX entries. */
struct task_events_page {
	struct store_request request;
	struct scope scope;
	int64_t task_id;
	int64_t after_sequence;
	const struct task_event_row *ret_rows;
	size_t ret_n_rows;
	int64_t ret_last_sequence; // of the task, at this instant
	const struct ellu_task *ret_task;
};
void store_task_events_page(struct store *store, struct task_events_page *op);

/*
 * How far somebody is who follows all tasks: he has every event up to `number`. Of the tasks he
 * knows those up to `known_id` that were not over at that number, but for those above
 * `introduced_id`, which are still to be shown. Tasks and events are numbered in one order.
 */
struct events_position {
	int64_t number; // -1: nowhere yet
	int64_t known_id;
	int64_t introduced_id; // `known_id`: all are shown
};

/* Tasks that are still to be shown, as they were at position.number, ascending; none: all are. A position
 * that is nowhere becomes that of the present instant. */
struct events_tasks_page {
	struct store_request request;
	struct scope scope;
	struct events_position position;
	const struct ellu_task *const *ret_tasks;
	size_t ret_n_tasks;
	struct events_position ret_position; // before the first of them
	int64_t last_number; // the store's own, and so are the next
	int64_t looked_id;
	size_t shown_bytes;
};
void store_events_tasks_page(struct store *store, struct events_tasks_page *op);

/* Events after position.number, ascending. InvalidParameter (cursor) when there never was such
 * a number. */
struct events_page {
	struct store_request request;
	struct scope scope;
	struct events_position position;
	const struct task_event_row *ret_rows;
	size_t ret_n_rows;
	int64_t ret_number; // everything up to it was seen; above the last row's at the end
	bool ret_more; // there was not room for all
};
void store_events_page(struct store *store, struct events_page *op);
