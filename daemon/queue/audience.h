/*
 * Those of one caller who follow the same: a task, or all of them. What there is to tell is told to one after
 * the other, as far as the caller's turn goes, and the next turn goes on behind that. So news costs the loop
 * what it costs to say so to each caller, however often he follows, and one timer does for all of an audience.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct audience;
struct event;
struct loop;

/* Lies in who follows. All zero: it is in no audience. */
struct audience_member {
	struct audience *audience;
	struct audience_member *next; // audience::first
	struct audience_member **link;
};

struct audience_kind {
	/* When there is something to tell it, monotonic; 0: nothing, and something that happens
	 * says so by audience_wake(). */
	int64_t (*due_usec)(const struct audience_member *member);
	/* Whether telling it has to wait for audience_go_on(), which does not ask again. */
	bool (*must_wait)(struct audience_member *member);
	/* When there will be more to tell, or 0. It may leave inside, and so may others. */
	int64_t (*tell)(struct audience_member *member);
};

struct audiences {
	const struct audience_kind *kind;
	struct loop *loop;
	struct audience *first;
};

/* To the audience of the caller's, which is made where there is none. -ENOMEM. */
int audience_join(struct audiences *audiences, struct audience_member *member, int64_t uid);
/* Nothing happens to one that is in none. */
void audience_leave(struct audience_member *member);

/* There may be something to tell: it is begun with at once. */
void audience_wake(struct audience *audience);
/* The same behind what the loop is at, and where many were looked at just now, a little later. */
void audience_wake_soon(struct audience *audience);
/* Anybody in any, or NULL. */
struct audience_member *audiences_first(const struct audiences *audiences);
void audiences_wake(struct audiences *audiences);
void audiences_wake_soon(struct audiences *audiences);
/* What the member had to wait for is there; nothing happens if it did not. */
void audience_go_on(struct audience_member *member);
