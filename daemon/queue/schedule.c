#include "daemon/queue/schedule.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/fair.h"
#include "proto/generated/interface.h"

/* Slots are of two kinds. */
enum slot {
	SLOT_COMMON,
	SLOT_INTERACTIVE,
	_SLOT_MAX,
};

struct schedule_user {
	struct turns_user turn;
	TAILQ_ENTRY(schedule_user) of_users; // schedule::users
	int64_t uid;
	int64_t n_admitting; // submissions on their way through the store
	int64_t n_places; // that wait, are held or are being admitted
	int64_t n_running[_SLOT_MAX];
	int64_t n_entries; // that wait or run
};

struct schedule {
	struct turns turns;
	TAILQ_HEAD(, schedule_user) users; // who waits, runs or submits
	int64_t n_waiting;
	struct fair places; // to wait
	struct fair slots[_SLOT_MAX];
};

static const char *const priority_names[_PRIORITY_MAX] = {
#define ROW(id, name, exit_status, is_ephemeral) [PRIORITY_##id] = #name,
	EACH_PRIORITY(ROW)
#undef ROW
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
	turns_init(&schedule->turns);
	TAILQ_INIT(&schedule->users);
	schedule_set_limits(schedule, limits);
	*ret_schedule = schedule;
	return 0;
}

void schedule_set_limits(struct schedule *schedule, const struct queue_limits *limits)
{
	schedule->places.total = limits->max_pending;
	schedule->places.limit = limits->max_pending_per_user;
	schedule->slots[SLOT_COMMON].total = limits->max_running;
	schedule->slots[SLOT_COMMON].limit = limits->max_running_per_user;
	schedule->slots[SLOT_INTERACTIVE].total = limits->max_interactive;
	schedule->slots[SLOT_INTERACTIVE].limit = limits->max_interactive_per_user;
}

static struct schedule_user *find_user(const struct schedule *schedule, int64_t uid)
{
	struct schedule_user *user;

	TAILQ_FOREACH(user, &schedule->users, of_users) {
		if (user->uid == uid)
			return user;
	}
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
	turns_user_init(&user->turn);
	user->uid = uid;
	TAILQ_INSERT_TAIL(&schedule->users, user, of_users);
	return user;
}

/* Frees a user with nothing left, so that memory follows who is active. */
static void put_user(struct schedule *schedule, struct schedule_user *user)
{
	if (user->n_entries || user->n_admitting)
		return;
	TAILQ_REMOVE(&schedule->users, user, of_users);
	free(user);
}

struct schedule *schedule_free(struct schedule *schedule)
{
	struct schedule_user *user;

	if (!schedule)
		return NULL;
	while ((user = TAILQ_FIRST(&schedule->users))) {
		user->n_entries = user->n_admitting = 0;
		put_user(schedule, user);
	}
	free(schedule);
	return NULL;
}

int schedule_admit(struct schedule *schedule, int64_t uid)
{
	struct schedule_user *user = get_user(schedule, uid);
	bool allowed;

	if (!user)
		return -ENOMEM;
	allowed = fair_allows(&schedule->places, user->n_places);
	user->n_admitting++;
	fair_take(&schedule->places, &user->n_places);
	return allowed ? 0 : -EAGAIN;
}

void schedule_admitted(struct schedule *schedule, int64_t uid)
{
	struct schedule_user *user = find_user(schedule, uid);

	if (!user)
		return;
	user->n_admitting--;
	fair_give(&schedule->places, &user->n_places);
	put_user(schedule, user);
}

static enum slot slot_of(enum task_priority priority)
{
	return priority == PRIORITY_INTERACTIVE ? SLOT_INTERACTIVE : SLOT_COMMON;
}

static void take_slot(struct schedule *schedule, struct schedule_user *user,
		      enum task_priority priority)
{
	enum slot slot = slot_of(priority);

	fair_take(&schedule->slots[slot], &user->n_running[slot]);
}

static void give_slot(struct schedule *schedule, struct schedule_user *user,
		      enum task_priority priority)
{
	enum slot slot = slot_of(priority);

	fair_give(&schedule->slots[slot], &user->n_running[slot]);
}

void schedule_reserve(struct schedule *schedule, int64_t uid, enum task_priority priority)
{
	take_slot(schedule, find_user(schedule, uid), priority);
}

void schedule_unreserve(struct schedule *schedule, int64_t uid, enum task_priority priority)
{
	give_slot(schedule, find_user(schedule, uid), priority);
}

static void put_in(struct schedule *schedule, struct schedule_entry *entry,
		   enum schedule_place place)
{
	entry->place = place;
	if (place == SCHEDULE_RUNS)
		take_slot(schedule, entry->user, entry->turn.priority);
	else
		fair_take(&schedule->places, &entry->user->n_places);
	if (place != SCHEDULE_WAITS)
		return;
	turns_wait(&schedule->turns, &entry->user->turn, &entry->turn);
	schedule->n_waiting++;
}

/* From where it is to nowhere, but still an entry of its user. */
static void vacate(struct schedule *schedule, struct schedule_entry *entry)
{
	if (entry->place == SCHEDULE_WAITS) {
		turns_leave(&schedule->turns, &entry->turn);
		schedule->n_waiting--;
	}
	if (entry->place == SCHEDULE_RUNS)
		give_slot(schedule, entry->user, entry->turn.priority);
	else if (entry->place != SCHEDULE_NOWHERE)
		fair_give(&schedule->places, &entry->user->n_places);
	entry->place = SCHEDULE_NOWHERE;
}

static int join(struct schedule *schedule, struct schedule_entry *entry,
		enum schedule_place place)
{
	if (entry->user) {
		vacate(schedule, entry);
	} else {
		entry->user = get_user(schedule, entry->uid);
		if (!entry->user)
			return -ENOMEM;
		entry->user->n_entries++;
	}
	put_in(schedule, entry, place);
	return 0;
}

int schedule_wait(struct schedule *schedule, struct schedule_entry *entry)
{
	return join(schedule, entry, SCHEDULE_WAITS);
}

int schedule_hold(struct schedule *schedule, struct schedule_entry *entry)
{
	return join(schedule, entry, SCHEDULE_HELD);
}

int schedule_run(struct schedule *schedule, struct schedule_entry *entry)
{
	/* A slot that only interactive tasks could have had costs its user no turn. */
	if (entry->place == SCHEDULE_WAITS && entry->turn.priority != PRIORITY_INTERACTIVE)
		turns_serve(&schedule->turns, &entry->turn, TURNS_ALL);
	return join(schedule, entry, SCHEDULE_RUNS);
}

void schedule_set_priority(struct schedule *schedule, struct schedule_entry *entry,
			   enum task_priority priority)
{
	enum schedule_place place = entry->place;

	vacate(schedule, entry);
	entry->turn.priority = priority;
	if (place != SCHEDULE_NOWHERE)
		put_in(schedule, entry, place);
}

void schedule_leave(struct schedule *schedule, struct schedule_entry *entry)
{
	struct schedule_user *user = entry->user;

	if (!user)
		return;
	vacate(schedule, entry);
	entry->user = NULL;
	user->n_entries--;
	put_user(schedule, user);
}

/* The priorities of which the user may start a task now. */
static unsigned startable(const struct schedule *schedule, const struct schedule_user *user)
{
	unsigned allowed = 0;

	if (fair_allows(&schedule->slots[SLOT_COMMON], user ? user->n_running[SLOT_COMMON] : 0))
		allowed |= TURNS_ALL & ~TURNS_INTERACTIVE;
	if (fair_allows(&schedule->slots[SLOT_INTERACTIVE],
			user ? user->n_running[SLOT_INTERACTIVE] : 0))
		allowed |= TURNS_INTERACTIVE;
	return allowed;
}

struct schedule_entry *schedule_next(struct schedule *schedule)
{
	struct turns_user *turn;

	TAILQ_FOREACH(turn, &schedule->turns.users, of_turns) {
		const struct schedule_user *user = (struct schedule_user *)turn; // its first member
		struct turns_item *item = turns_next(turn, startable(schedule, user));

		if (item)
			return (struct schedule_entry *)item; // its first member
	}
	return NULL;
}

bool schedule_has_room(struct schedule *schedule, int64_t uid, enum task_priority priority)
{
	struct schedule_user *user = find_user(schedule, uid);

	if (!(startable(schedule, user) & 1u << priority))
		return false;
	for (int i = 0; user && i <= (int)priority; i++)
		if (!TAILQ_EMPTY(&user->turn.waiting[i]))
			return false;
	return true;
}

int64_t schedule_n_waiting(const struct schedule *schedule)
{
	return schedule->n_waiting;
}

int64_t schedule_n_running(const struct schedule *schedule)
{
	return schedule->slots[SLOT_COMMON].used + schedule->slots[SLOT_INTERACTIVE].used;
}
