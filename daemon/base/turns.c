#include "daemon/base/turns.h"

#include <stddef.h>

static const unsigned weights[_PRIORITY_MAX] = {
	[PRIORITY_INTERACTIVE] = 16,
	[PRIORITY_NORMAL] = 4,
	[PRIORITY_BATCH] = 1,
};

static unsigned stride(enum task_priority priority)
{
	return weights[PRIORITY_INTERACTIVE] / weights[priority];
}

void turns_init(struct turns *turns)
{
	TAILQ_INIT(&turns->users);
	turns->n_served = 0;
}

void turns_user_init(struct turns_user *user)
{
	*user = (struct turns_user){ 0 };
	for (int i = 0; i < _PRIORITY_MAX; i++)
		TAILQ_INIT(&user->waiting[i]);
}

static void insert_user(struct turns *turns, struct turns_user *user)
{
	struct turns_user *before = TAILQ_LAST(&turns->users, turns_users);

	while (before && before->served > user->served)
		before = TAILQ_PREV(before, turns_users, of_turns);
	if (before)
		TAILQ_INSERT_AFTER(&turns->users, before, user, of_turns);
	else
		TAILQ_INSERT_HEAD(&turns->users, user, of_turns);
}

static void insert_item(struct turns_items *items, struct turns_item *item)
{
	struct turns_item *before = TAILQ_LAST(items, turns_items);

	while (before && before->age > item->age)
		before = TAILQ_PREV(before, turns_items, of_user);
	if (before)
		TAILQ_INSERT_AFTER(items, before, item, of_user);
	else
		TAILQ_INSERT_HEAD(items, item, of_user);
}

void turns_wait(struct turns *turns, struct turns_user *user, struct turns_item *item)
{
	enum task_priority priority = item->priority;
	uint64_t joined = user->now + stride(priority) - 1;

	if (TAILQ_EMPTY(&user->waiting[priority]) && user->due[priority] < joined)
		user->due[priority] = joined;
	item->user = user;
	insert_item(&user->waiting[priority], item);
	if (user->n_waiting++ == 0)
		insert_user(turns, user);
}

void turns_leave(struct turns *turns, struct turns_item *item)
{
	struct turns_user *user = item->user;

	if (!user)
		return;
	item->user = NULL;
	TAILQ_REMOVE(&user->waiting[item->priority], item, of_user);
	if (--user->n_waiting == 0)
		TAILQ_REMOVE(&turns->users, user, of_turns);
}

struct turns_item *turns_next(const struct turns_user *user, unsigned allowed)
{
	int best = -1;

	for (int i = 0; i < _PRIORITY_MAX; i++) {
		if (!(allowed & 1u << i) || TAILQ_EMPTY(&user->waiting[i]))
			continue;
		if (best < 0 || user->due[i] < user->due[best])
			best = i;
	}
	return best < 0 ? NULL : TAILQ_FIRST(&user->waiting[best]);
}

void turns_serve(struct turns *turns, struct turns_item *item, unsigned allowed)
{
	struct turns_user *user = item->user;
	enum task_priority priority = item->priority;
	struct turns_items *items = &user->waiting[priority];

	TAILQ_REMOVE(items, item, of_user);
	insert_item(items, item);
	TAILQ_REMOVE(&turns->users, user, of_turns);
	user->served = ++turns->n_served;
	TAILQ_INSERT_TAIL(&turns->users, user, of_turns);
	/* What no other priority could have had costs this one nothing. */
	if (allowed == 1u << priority)
		return;
	user->now = user->due[priority];
	user->due[priority] += stride(priority);
}
