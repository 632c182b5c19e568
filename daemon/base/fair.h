/*
 * How much of what is global one user may hold, so that whoever comes later finds some. One alone
 * may hold as much as his own limit allows. Beside others he may hold an n'th of what they leave:
 * n are those of them who hold more than a few, he himself, and the next who may come. So each who
 * comes gets less than the one before him, and never nothing while anything is left; and those who
 * hold little take nothing from the shares of the others.
 *
 * It is for what comes back by itself: places to wait, slots, calls. What clients may hold for as long
 * as they like is shared by api/user.h, which leaves some of it even when nobody else is there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FAIR_FEW 4

struct fair {
	int64_t total; // how much there is
	int64_t limit; // and for one user
	int64_t used;
	int64_t n_heavy; // users who hold more than a few
};

/* Whether a user who holds so much may take one more. */
bool fair_allows(const struct fair *fair, int64_t held);
/* He takes one more, or gives one back. */
void fair_take(struct fair *fair, int64_t *held);
void fair_give(struct fair *fair, int64_t *held);
