/*
 * Server-sent events: bytes go in as they come, the data of one event after the other comes out. Who
 * takes no further event leaves the bytes behind it where they are. Names of events and ids are not
 * looked at: providers say in the data what it is.
 *
 * A zeroed one is valid. Pure; lack of memory sticks in `data.failed`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/backend/wire/buffer.h"

struct sse {
	struct buffer line; // so far
	struct buffer data; // of the event so far, or of the one that was told
	bool has_data;
	bool told; // it was
	bool after_cr; // a line feed may still belong to the line before
	bool begun; // the first line is over
};

void sse_done(struct sse *sse);
/* Takes bytes to the end of an event, or all of them; returns how many. *ret_data is the event's, in
 * the arms of *sse until the next call, or NULL: there is none yet. */
size_t sse_take(struct sse *sse, const char *bytes, size_t size, const struct buffer **ret_data);
