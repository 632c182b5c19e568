/*
 * A monitor follows all tasks that one caller may see: first those that wait or run, then every
 * change and log line of any task, each once and in the order of the events' one number.
 *
 * A monitor is a position in that order. Changes are read from the store when the store says
 * that there are new ones; the log lines of running tasks, which are many, are fed from memory
 * while the monitor keeps up. So nothing is queued for it, and one that was paused, or goes on
 * where an earlier one was, reads what it missed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/queue/audience.h"
#include "daemon/store/events.h"
#include "proto/fault/fault.h"

struct live_task;
struct monitor;
struct monitors;
struct queue;
struct share;
struct task_news;

struct monitor_options {
	struct scope scope;
	int64_t uid; // the caller's, whose turns with the store it takes; -1: it is the daemon's own
	struct events_position position; // number -1: from the present state
	int64_t min_interval_usec; // between two events of a task that only carry progress
	/* A task that was not shown yet, or an event, and the position behind it. Both are borrowed
	 * for the call. `share` is for all who get the same; NULL: nobody else does. The monitor may
	 * be freed or paused inside. */
	void (*reply)(void *userdata, const struct ellu_task *task,
		      const struct ellu_task_event *event, const struct events_position *position,
		      struct share *share);
	/* The store failed to tell; nothing follows. */
	void (*failed)(void *userdata, const struct fault *fault);
	/* Whether looking for what is new, or telling it, has to wait for monitor_go_on(); NULL: it
	 * never has. So much was done for it elsewhere. */
	bool (*must_wait)(void *userdata, int64_t took_usec);
	/* Whether a page may be read; if not, monitor_go_on() follows. As that one, both NULL for the
	 * daemon's own. */
	bool (*may_read)(void *userdata);
	void (*has_read)(void *userdata);
	void *userdata;
};

extern const struct audience_kind monitor_audience;

int monitor_new(struct queue *queue, const struct monitor_options *options,
		struct monitor **ret_monitor);
struct monitor *monitor_free(struct monitor *monitor);

/* The other side reads slowly: nothing is delivered until monitor_resume(). */
void monitor_pause(struct monitor *monitor);
void monitor_resume(struct monitor *monitor);
/* Does what had to wait. The monitor may be freed inside. */
void monitor_go_on(struct monitor *monitor);

/* ---- What happens to tasks ---- */

/* The store has events up to `number`. */
void monitors_notice(struct monitors *monitors, int64_t number);
/* Events of a live task, committed and numbered. */
void monitors_publish(struct monitors *monitors, const struct live_task *task,
		      const struct task_news *news);
/* Its progress moved. */
void monitors_progress(struct monitors *monitors, struct live_task *task);
/* It goes. */
void monitors_forget(struct live_task *task);
