/*
 * The connections of a front, the longest unused first; and those that are dead, until the front frees
 * them in a later turn, when nobody is at work on them any more.
 */
#pragma once

#include <event2/event.h>

/* Lies first in what a connection is. */
struct connections_link {
	struct connections_link *next; // connections::first or ::dead
	struct connections_link **link;
};

struct connections {
	struct connections_link *first;
	struct connections_link **tail;
	struct connections_link *dead;
	struct event *reaper; // the front's, which frees the dead
};

void connections_init(struct connections *connections);
void connections_add(struct connections *connections, struct connections_link *link);
/* It was used: it is the last to make room for another. */
void connections_touch(struct connections *connections, struct connections_link *link);
/* It is dead. */
void connections_bury(struct connections *connections, struct connections_link *link);
/* The dead are freed in the next turn. */
void connections_reap_soon(struct connections *connections);
