/*
 * A watch from inside: what watch.c keeps of it, and how it reads what it missed (watch_history.c).
 */
#pragma once

#include "daemon/base/share.h"
#include "daemon/queue/queue_state.h"
#include "daemon/queue/watch.h"

/* Of a page, as all who missed it are told it. */
struct page_event {
	struct page_event *next;
	struct ellu_task_event event;
	bool terminal;
	struct share share;
};

struct watch {
	struct queue *queue;
	struct watch_options options;
	struct live_task *task; // NULL: not live (any more)
	bool task_left; // its end is stored
	struct audience_member member; // of the task's
	int64_t cursor; // the last sequence that was delivered
	bool introduced; // the present state, or what came after the start, was delivered
	bool caught_up; // fed from memory
	bool reading; // a page is with the store, waits for a turn, or is being delivered
	bool room_waits; // to ask for it
	bool page_waits;
	bool paused;
	bool freed; // leave_page() frees it
	bool ended;
	int64_t progress_usec; // when progress was told last, monotonic
	uint64_t n_progress; // the task's, when progress was told last
	struct event *timer; // time to look again
	struct task_events_page page;
	struct page_event *events; // of `page`, once it is there
	bool gathered;
	struct watch *next_reading; // queue::reading
	struct watch **reading_link; // NULL: nobody else may share `page`
	struct watch *sharers; // of `page`; they are told before this one
	unsigned n_sharers; // those that were, too
	struct watch *next_sharer;
	struct watch **sharer_link; // NULL: it reads for itself
};

/* ---- watch.c ---- */

void watch_deliver(struct watch *watch, const struct ellu_task_event *event, bool terminal,
		   struct share *share);
/* Progress, or the present: it is the same for all who are as far as memory is. */
void watch_deliver_live(struct watch *watch);
bool watch_must_wait(const struct watch *watch, int64_t took_usec);
void watch_attach_if_live(struct watch *watch);
/* What it is told first says how far the task is; calls of tools are in no row. */
void watch_skip_progress(struct watch *watch);
void watch_tell_what_is_due(struct watch *watch);

/* ---- watch_history.c ---- */

/* Unless it does: reads what it has missed, until it has caught up. */
void watch_read(struct watch *watch);
/* The same of what is at hand already. */
void watch_take(struct watch *watch, const struct ellu_task *task, const struct task_event_row *rows,
		size_t n_rows);
/* Goes on with what waited for room, or for a turn. */
void watch_read_on(struct watch *watch);
/* It is freed, here or once nothing of it is with the store any more. */
void watch_leave_history(struct watch *watch);
