/*
 * A place beside something that many are told. Who is told first may leave there what it made of
 * it, so that the next ones need not make it again; who owns the thing empties the place when it
 * changes or goes.
 */
#pragma once

#include <stddef.h>

struct share {
	void *data; // NULL: nothing yet
	void (*done)(void *data);
};

static inline void share_done(struct share *share)
{
	if (share->data)
		share->done(share->data);
	share->data = NULL;
}
