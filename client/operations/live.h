/*
 * The handles, operations and streams that there are, so that a pointer which is none of them
 * (closed, freed, of another kind) is refused and never followed. Trees of addresses, each under a lock
 * of its own, so that threads do not meet there; none is held over a fork(). An address that was
 * given out again is what it is now.
 */
#pragma once

#include <stdbool.h>

enum live_kind {
	LIVE_HANDLE = 1,
	LIVE_OP,
	LIVE_STREAM,
};

/* What each of them begins with. */
struct live {
	enum live_kind kind;
};

int live_add(struct live *object, enum live_kind kind); // -ENOMEM
void live_remove(const void *object);
bool live_is(const void *object, enum live_kind kind);
