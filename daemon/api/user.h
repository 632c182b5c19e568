/*
 * The users of the daemon, over all fronts, and what each holds of what is scarce.
 *
 * What is scarce is a slot with two limits, in all and for one user. What holds some embeds a
 * charge and gives it back when it goes; so accounts cannot leak, and are asserted to be empty at
 * the end. Of what others leave, a user may have only a share, the smaller the more users hold
 * some: who comes late always finds something, though nobody has to give anything back (what comes
 * back by itself is shared by daemon/base/fair.h).
 *
 * The loop's time is shared too. A user who has had his part of a turn waits for the next one,
 * and so does who is short of a slot until something of it is given back; waiters are woken from
 * the loop, in the order they came. All of it lives on one loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/table.h"

struct service;
struct user_introduction;
struct users;

enum user_slot {
	USER_CONNECTIONS, // sockets, and names on the bus that called
	USER_REQUESTS, // under way, or waiting
	USER_WATCHES, // calls that follow one task, or all
	USER_LARGE_MESSAGES, // being received, decoded or served
	USER_INPUT, // bytes of other messages
	USER_OUTPUT, // bytes of replies that are made, or sent and not taken
	USER_UNUSED_SOCKETS, // handed over on the system's bus
	_USER_SLOT_MAX,
};

/* How many quarters of his output a user's pages may fill, so that other replies find room beside
 * lists, and lists beside watches, that nobody reads. */
#define USER_OUTPUT_OF_LISTS 3
#define USER_OUTPUT_OF_EVENTS 2
#define USER_OUTPUT_WHOLE 4

struct user_limit {
	int64_t total;
	int64_t per_user;
};

struct user_limits {
	struct user_limit slots[_USER_SLOT_MAX];
};

/* Lies where something is held. All zero: nothing is. */
struct user_charge {
	struct user *user;
	enum user_slot slot;
	int64_t amount;
};

/* Lies in what waits; `wake` tries again, and may wait again. */
struct user_waiter {
	void (*wake)(struct user_waiter *waiter);
	struct user_waiters *list; // NULL: it does not wait
	struct user_waiter *next;
	struct user_waiter **link;
};

struct user_waiters {
	struct user_waiter *first;
	struct user_waiter **tail;
	struct user_waiter **cursor; // who was just woken in vain takes his place again; or NULL
	int64_t n;
	int in_vain; // woken since something was given back; also over several turns
};

struct user {
	struct table_node node; // users::table
	struct user *next; // users::first
	struct user *next_active; // users::active
	bool active;
	struct users *users;
	int64_t uid; // USER_UNKNOWN: callers on the bus whose uid is being asked for
	bool is_known; // the store has the user's project, or said why not
	struct user_introduction *introduction; // with the store; or NULL
	struct user_waiters strangers; // until is_known
	int64_t held[_USER_SLOT_MAX];
	unsigned refused; // slots whose first refusal was logged
	unsigned relieved; // slots of which something was given back since it was short
	struct user_waiters short_of[_USER_SLOT_MAX];
	struct user_waiters turn;
	uint64_t turn_number; // the loop's, when it was last asked for
	int64_t worked_usec; // in that turn
	int64_t worked_last_usec; // when that was
	int64_t used_usec; // of the processors' time, in all
};

#define USER_UNKNOWN (-1)

/* `service` has its loop, and gets its store before there are users. */
int users_new(struct service *service, const struct user_limits *limits, struct users **ret_users);
struct users *users_free(struct users *users);
/* What is held beyond lowered limits stays; who is short of a slot tries again. */
void users_set_limits(struct users *users, const struct user_limits *limits);

/* Finds or makes; users stay, there are few. NULL without memory. */
struct user *user_of(struct users *users, int64_t uid);
/* Wakes the waiter once the store knows the user; at once if it does. */
void user_introduce(struct user *user, struct user_waiter *waiter);

/* ---- Slots ---- */

/* Makes `amount` what the charge holds in all. False: it is more than the user's share, and the
 * charge is as it was. */
bool user_take(struct user_charge *charge, struct user *user, enum user_slot slot, int64_t amount);
/* The same where it may fill so many quarters of the share, unless nothing of it is held. */
bool user_take_part(struct user_charge *charge, struct user *user, enum user_slot slot,
		    int64_t amount, int quarters);
/* The same for what is there already, whatever the limit. */
void user_hold(struct user_charge *charge, struct user *user, enum user_slot slot, int64_t amount);
void user_give_back(struct user_charge *charge);
/* The first charge's content is the second's from now on, which gives back what it had. */
void user_move(struct user_charge *from, struct user_charge *to);
/* "user 1000 has 64 of at most 64 connections": what a refusal says. */
void user_describe(const struct user *user, enum user_slot slot, char *ret_text, unsigned size);

/* ---- Waiting ---- */

void user_wait_for_slot(struct user *user, enum user_slot slot, struct user_waiter *waiter);
void user_wait_for_turn(struct user *user, struct user_waiter *waiter);
void user_stop_waiting(struct user_waiter *waiter);

/* Whether nobody else was at work lately, so that nobody is kept waiting. */
bool user_is_alone(const struct user *user);
/* Whether the user has a part of this turn left, and nobody else at work has had less time. */
bool user_has_turn(struct user *user);
/* The same for what has just come up; false: it waits for a turn, behind what waits already. */
bool user_take_turn(struct user *user, struct user_waiter *waiter);
/* What is done for the user in between counts as his; a piece within another counts once. */
void user_begin_work(struct user *user);
void user_end_work(struct user *user);
/* So much was done for the user on other threads. */
void user_worked_elsewhere(struct user *user, int64_t usec);
