/*
 * A watch from inside: how far it is in its task's history, and what moves it on.
 */
#pragma once

#include "daemon/base/share.h"
#include "daemon/queue/queue_state.h"
#include "daemon/queue/watch_options.h"

struct page_event;

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

void watch_deliver(struct watch *watch, const struct ellu_task_event *event, bool terminal,
		   struct share *share);
/* Progress, or the present: it is the same for all who are as far as memory is. */
void watch_deliver_live(struct watch *watch);
bool watch_must_wait(const struct watch *watch, int64_t took_usec);
void watch_attach_if_live(struct watch *watch);
void watch_detach(struct watch *watch);
/* What it is told first says how far the task is; calls of tools are in no row. */
void watch_skip_progress(struct watch *watch);
/* When progress is to be told, or 0; what somebody is to act on does not wait. */
int64_t watch_progress_due_usec(const struct watch *watch);
void watch_tell_what_is_due(struct watch *watch);
