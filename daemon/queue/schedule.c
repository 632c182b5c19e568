/* SPDX-License-Identifier: MIT */
#include "daemon/queue/schedule.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct waiting_list {
	struct schedule_entry *first;
	struct schedule_entry **tail;
};

struct schedule_user {
	struct schedule_user *next; // schedule::users, a ring
	int64_t uid;
	int64_t n_waiting;
	int64_t n_admitting; // submissions on their way through the store
	int64_t n_running; // that need a slot
	int64_t n_entries; // that wait or run
	struct waiting_list waiting[_PRIORITY_MAX];
};

struct schedule {
	struct queue_limits limits;
	struct schedule_user *users; // the user served last; its next is served next
	int64_t n_waiting;
	int64_t n_admitting;
	int64_t n_running; // that need a slot
	int64_t n_entries_running;
};

static const char *const priority_names[_PRIORITY_MAX] = {
	[PRIORITY_INTERACTIVE] = "interactive",
	[PRIORITY_NORMAL] = "normal",
	[PRIORITY_BATCH] = "batch",
};

enum task_priority task_priority_from_name(const char *name)
{
	for (int i = 0; name && i < _PRIORITY_MAX; i++)
		if (strcmp(name, priority_names[i]) == 0)
			return (enum task_priority)i;
	return PRIORITY_NORMAL;
}

int schedule_new(const struct queue_limits *limits, struct schedule **ret_schedule)
{
	struct schedule *schedule = calloc(1, sizeof(*schedule));

	if (!schedule)
		return -ENOMEM;
	schedule->limits = *limits;
	*ret_schedule = schedule;
	return 0;
}

void schedule_set_limits(struct schedule *schedule, const struct queue_limits *limits)
{
	schedule->limits = *limits;
}

static struct schedule_user *find_user(const struct schedule *schedule, int64_t uid)
{
	struct schedule_user *user = schedule->users;

	if (!user)
		return NULL;
	do {
		if (user->uid == uid)
			return user;
		user = user->next;
	} while (user != schedule->users);
	return NULL;
}

static struct schedule_user *get_user(struct schedule *schedule, int64_t uid)
{
	struct schedule_user *user = find_user(schedule, uid);

	if (user)
		return user;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	for (int i = 0; i < _PRIORITY_MAX; i++)
		user->waiting[i].tail = &user->waiting[i].first;
	if (schedule->users) {
		user->next = schedule->users->next;
		schedule->users->next = user;
	} else {
		user->next = user;
		schedule->users = user;
	}
	return user;
}

/* Frees a user with nothing left, so that memory follows who is active. */
static void put_user(struct schedule *schedule, struct schedule_user *user)
{
	struct schedule_user *before = user;

	if (user->n_entries || user->n_admitting)
		return;
	while (before->next != user)
		before = before->next;
	before->next = user->next;
	if (schedule->users == user)
		schedule->users = before == user ? NULL : before;
	free(user);
}

struct schedule *schedule_free(struct schedule *schedule)
{
	if (!schedule)
		return NULL;
	while (schedule->users) {
		schedule->users->n_entries = schedule->users->n_admitting = 0;
		put_user(schedule, schedule->users);
	}
	free(schedule);
	return NULL;
}

int schedule_admit(struct schedule *schedule, int64_t uid)
{
	struct schedule_user *user = get_user(schedule, uid);

	if (!user)
		return -ENOMEM;
	user->n_admitting++;
	schedule->n_admitting++;
	if (schedule->n_waiting + schedule->n_admitting > schedule->limits.max_pending ||
	    user->n_waiting + user->n_admitting > schedule->limits.max_pending_per_user)
		return -EAGAIN;
	return 0;
}

void schedule_admitted(struct schedule *schedule, int64_t uid)
{
	struct schedule_user *user = find_user(schedule, uid);

	if (!user)
		return;
	user->n_admitting--;
	schedule->n_admitting--;
	put_user(schedule, user);
}

static void count_running(struct schedule *schedule, struct schedule_user *user,
			  enum task_priority priority, int change)
{
	schedule->n_entries_running += change;
	if (priority == PRIORITY_INTERACTIVE)
		return;
	user->n_running += change;
	schedule->n_running += change;
}

void schedule_reserve(struct schedule *schedule, int64_t uid, enum task_priority priority)
{
	count_running(schedule, find_user(schedule, uid), priority, 1);
}

void schedule_unreserve(struct schedule *schedule, int64_t uid, enum task_priority priority)
{
	count_running(schedule, find_user(schedule, uid), priority, -1);
}

static void stop_waiting(struct schedule *schedule, struct schedule_entry *entry)
{
	struct waiting_list *list = &entry->user->waiting[entry->priority];

	if (!entry->link)
		return;
	*entry->link = entry->next;
	if (entry->next)
		entry->next->link = entry->link;
	else
		list->tail = entry->link;
	entry->link = NULL;
	entry->user->n_waiting--;
	schedule->n_waiting--;
}

static int join(struct schedule *schedule, struct schedule_entry *entry)
{
	if (entry->user)
		return 0;
	entry->user = get_user(schedule, entry->uid);
	if (!entry->user)
		return -ENOMEM;
	entry->user->n_entries++;
	return 0;
}

static struct schedule_entry *entry_before(const struct waiting_list *list,
					   struct schedule_entry **link)
{
	return link == &list->first ? NULL :
				      (struct schedule_entry *)((char *)link -
								offsetof(struct schedule_entry, next));
}

/* Almost always the last place: only what ran already comes back before others. */
static struct schedule_entry **place_of(struct waiting_list *list, int64_t age)
{
	struct schedule_entry **link = list->tail;
	struct schedule_entry *before;

	while ((before = entry_before(list, link)) && before->age > age)
		link = before->link;
	return link;
}

int schedule_wait(struct schedule *schedule, struct schedule_entry *entry)
{
	struct waiting_list *list;
	int r = join(schedule, entry);

	if (r < 0)
		return r;
	list = &entry->user->waiting[entry->priority];
	entry->link = place_of(list, entry->age);
	entry->next = *entry->link;
	*entry->link = entry;
	if (entry->next)
		entry->next->link = &entry->next;
	else
		list->tail = &entry->next;
	entry->user->n_waiting++;
	schedule->n_waiting++;
	return 0;
}

int schedule_run(struct schedule *schedule, struct schedule_entry *entry)
{
	int r = join(schedule, entry);

	if (r < 0)
		return r;
	stop_waiting(schedule, entry);
	entry->running = true;
	count_running(schedule, entry->user, entry->priority, 1);
	return 0;
}

void schedule_leave(struct schedule *schedule, struct schedule_entry *entry)
{
	struct schedule_user *user = entry->user;

	if (!user)
		return;
	stop_waiting(schedule, entry);
	if (entry->running)
		count_running(schedule, user, entry->priority, -1);
	entry->running = false;
	entry->user = NULL;
	user->n_entries--;
	put_user(schedule, user);
}

static bool has_slot(const struct schedule *schedule, const struct schedule_user *user,
		     enum task_priority priority)
{
	if (priority == PRIORITY_INTERACTIVE)
		return true;
	return schedule->n_running < schedule->limits.max_running &&
	       (!user || user->n_running < schedule->limits.max_running_per_user);
}

static struct schedule_entry *user_next(const struct schedule *schedule,
					const struct schedule_user *user)
{
	for (int i = 0; i < _PRIORITY_MAX; i++)
		if (user->waiting[i].first && has_slot(schedule, user, (enum task_priority)i))
			return user->waiting[i].first;
	return NULL;
}

struct schedule_entry *schedule_next(struct schedule *schedule)
{
	struct schedule_user *user = schedule->users;
	struct schedule_entry *entry;

	if (!schedule->n_waiting)
		return NULL;
	do {
		user = user->next;
		entry = user_next(schedule, user);
		if (entry) {
			schedule->users = user;
			return entry;
		}
	} while (user != schedule->users);
	return NULL;
}

bool schedule_has_room(struct schedule *schedule, int64_t uid, enum task_priority priority)
{
	struct schedule_user *user = find_user(schedule, uid);

	if (!has_slot(schedule, user, priority))
		return false;
	for (int i = 0; user && i <= (int)priority; i++)
		if (user->waiting[i].first)
			return false;
	return true;
}

int64_t schedule_n_waiting(const struct schedule *schedule)
{
	return schedule->n_waiting;
}

int64_t schedule_n_running(const struct schedule *schedule)
{
	return schedule->n_entries_running;
}
