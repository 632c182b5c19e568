/*
 * A watch follows one task for one caller: its present state first, or what came after a
 * sequence; then every change, each log line once and in order, until the terminal state.
 *
 * A watch is a cursor into the task's history. While it keeps up it is fed from memory; one that
 * was paused, or came late, reads what it missed from the store. So nothing is queued for it, and
 * telling it can wait for its caller's turn. Those of one caller that miss the same read it once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/share.h"
#include "daemon/store/store.h"
#include "elluminate-types.h"
#include "proto/fault/fault.h"

struct live_task;
struct queue;
struct task_event_row;
struct watch;

struct watch_options {
	int64_t task_id;
	int64_t after_sequence; // -1: from the present state
	int64_t min_interval_usec; // between events that only carry progress
	struct scope scope; // the caller's, whose turns with the store it takes
	/* An event; with `terminal` the last one. The event is borrowed for the call. `share` is for
	 * all who get the same event; NULL: nobody else does. The watch may be freed or paused
	 * inside. */
	void (*event)(void *userdata, const struct ellu_task_event *event, bool terminal,
		      struct share *share);
	/* The store failed to tell; nothing follows. */
	void (*failed)(void *userdata, const struct fault *fault);
	/* Whether telling has to wait for watch_go_on(). So much was done for it elsewhere. */
	bool (*must_wait)(void *userdata, int64_t took_usec);
	/* Whether a page of what it missed may be read; if not, watch_go_on() follows. */
	bool (*may_read)(void *userdata);
	void (*has_read)(void *userdata);
	void *userdata;
};

/* Nothing is delivered before it is started. */
int watch_new(struct queue *queue, const struct watch_options *options, struct watch **ret_watch);
void watch_start(struct watch *watch);
/* The same for a task that was just made and whose whole history is at hand, or that was just read, for
 * a watch from its present state, without rows: that is delivered at once, so that the watch may be
 * gone afterwards. */
void watch_start_with(struct watch *watch, const struct ellu_task *task,
		      const struct task_event_row *rows, size_t n_rows);
struct watch *watch_free(struct watch *watch);

/* The other side reads slowly: nothing is delivered until watch_resume(). */
void watch_pause(struct watch *watch);
void watch_resume(struct watch *watch);
/* Tells what had to wait. The watch may be freed inside. */
void watch_go_on(struct watch *watch);

extern const struct audience_kind watch_audience;

/* The task goes: its watches read the rest from the store. */
void watches_forget(struct live_task *task);
