/*
 * Scarce slots go out in turn, the same way for the slots of tasks and those of calls: to users,
 * the one served longest ago first; within a user to the priorities 16 : 4 : 1; within a priority
 * to the items, the one served longest ago first, or the oldest where they leave when served.
 *
 * A user who comes new, or had nothing waiting for long, was served longest ago: who wants little
 * gets the next slot. A priority's share is kept by a due number: the lowest goes next, and being
 * served moves it on by the more, the less its weight. One that had nothing waiting joins where
 * the others are, and has saved up nothing.
 *
 * Whose slots, how many, and who may not have one now is the caller's to know.
 */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

enum task_priority {
	PRIORITY_INTERACTIVE,
	PRIORITY_NORMAL,
	PRIORITY_BATCH,
	_PRIORITY_MAX,
};

/* Sets of priorities. */
#define TURNS_ALL ((1u << _PRIORITY_MAX) - 1)
#define TURNS_INTERACTIVE (1u << PRIORITY_INTERACTIVE)

struct turns_user;

struct turns_item {
	TAILQ_ENTRY(turns_item) of_user; // turns_user::waiting
	struct turns_user *user; // NULL: it does not wait
	enum task_priority priority;
	int64_t age; // the lower, the earlier it goes; equal ones in the order they came
};
TAILQ_HEAD(turns_items, turns_item);

struct turns_user {
	TAILQ_ENTRY(turns_user) of_turns; // turns::users while something waits
	struct turns_items waiting[_PRIORITY_MAX];
	unsigned n_waiting;
	uint64_t due[_PRIORITY_MAX];
	uint64_t now; // the due number served last
	uint64_t served; // turns::n_served then, 0: never
};

TAILQ_HEAD(turns_users, turns_user);

struct turns {
	struct turns_users users; // served longest ago first
	uint64_t n_served;
};

void turns_init(struct turns *turns);
void turns_user_init(struct turns_user *user);

/* The item must not wait already. */
void turns_wait(struct turns *turns, struct turns_user *user, struct turns_item *item);
/* Nothing happens to one that does not wait. */
void turns_leave(struct turns *turns, struct turns_item *item);

/* What of the user's is next among the priorities allowed, or NULL. */
struct turns_item *turns_next(const struct turns_user *user, unsigned allowed);
/* It gets a slot that any of `allowed` might have got. It still waits, behind the others. */
void turns_serve(struct turns *turns, struct turns_item *item, unsigned allowed);
