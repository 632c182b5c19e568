/*
 * Who is told of events as they come, a watch or a monitor: telling is work of the user's, in his
 * turns, and a page of what was missed takes room of his as a reply does.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/api/user.h"

struct listener {
	struct user *user;
	void (*go_on)(struct listener *listener); // with what had to wait
	struct user_waiter turn;
	struct user_waiter room;
	struct user_charge page;
};

void listener_init(struct listener *listener, struct user *user,
		   void (*go_on)(struct listener *listener));
void listener_done(struct listener *listener);

/* Whether telling has to wait for `go_on`. So much was done for it elsewhere. */
bool listener_must_wait(struct listener *listener, int64_t took_usec);
/* Whether there is room for a page; false: `go_on` follows when there may be some. */
bool listener_may_read(struct listener *listener);
void listener_has_read(struct listener *listener);
