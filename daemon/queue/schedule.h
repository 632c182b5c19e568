/*
 * Which waiting task gets a free slot: tasks take turns as daemon/base/turns.h says, within a priority
 * the older one first. Interactive tasks have slots of their own. Of slots, and of places to wait,
 * a user gets a share as daemon/base/fair.h says. A task that is held counts among those that wait, but
 * has no turn.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/turns.h"
#include "daemon/queue/queue_options.h"

enum task_priority task_priority_from_name(const char *name); // unknown or NULL: normal

struct schedule_user;

enum schedule_place {
	SCHEDULE_NOWHERE,
	SCHEDULE_WAITS,
	SCHEDULE_HELD,
	SCHEDULE_RUNS,
};

/* A task's place in the schedule; lies in whatever the caller keeps for a task. */
struct schedule_entry {
	struct turns_item turn; // waits or not; its priority is the task's
	int64_t uid;
	struct schedule_user *user; // schedule's own; NULL: neither waits nor runs
	enum schedule_place place;
};

struct schedule;

int schedule_new(const struct queue_limits *limits, struct schedule **ret_schedule);
struct schedule *schedule_free(struct schedule *schedule);
void schedule_set_limits(struct schedule *schedule, const struct queue_limits *limits);

/* 0, -EAGAIN when as many wait as may, or -ENOMEM. */
int schedule_admit(struct schedule *schedule, int64_t uid);
/* Ends what schedule_admit() began, with or without an entry. */
void schedule_admitted(struct schedule *schedule, int64_t uid);

/* Takes a slot for an admitted submission that has no entry yet, so that those beside it cannot
 * have it; given back before schedule_admitted(). */
void schedule_reserve(struct schedule *schedule, int64_t uid, enum task_priority priority);
void schedule_unreserve(struct schedule *schedule, int64_t uid, enum task_priority priority);

/* Joins those who wait, behind what is older, from wherever it was. */
int schedule_wait(struct schedule *schedule, struct schedule_entry *entry);
/* The same without a turn. */
int schedule_hold(struct schedule *schedule, struct schedule_entry *entry);
/* Takes a slot, whether it waited or not. */
int schedule_run(struct schedule *schedule, struct schedule_entry *entry);
/* Wherever it is, it stays there. */
void schedule_set_priority(struct schedule *schedule, struct schedule_entry *entry,
			   enum task_priority priority);
/* Leaves: it neither waits nor runs. */
void schedule_leave(struct schedule *schedule, struct schedule_entry *entry);

/* The task that may start now, or NULL. It still waits until schedule_run(). */
struct schedule_entry *schedule_next(struct schedule *schedule);
/* Whether a task that does not wait yet could start at once, with nobody before it. */
bool schedule_has_room(struct schedule *schedule, int64_t uid, enum task_priority priority);

int64_t schedule_n_waiting(const struct schedule *schedule); // held ones left out
int64_t schedule_n_running(const struct schedule *schedule);
