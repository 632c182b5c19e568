/*
 * How the body of an answer that comes as a stream is cut into events, whoever it is from: a row for
 * each content type. Bytes go in as they come, by one or by the thousand; the events that they make
 * up come out one after the other. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "daemon/backend/wire/aws_event_stream.h"
#include "daemon/backend/wire/sse.h"

/* One event, in the arms of the framing until it takes more. */
struct framed_event {
	char *data; // not ended by NUL; whoever reads it may spoil it. NULL: there is none yet
	size_t size;
	const char *type; // what the framing itself calls it, or NULL: the data says what it is
	bool is_error; // in place of what else would come
};

/* Where in a stream one is; zeroed at its begin. */
union framing_state {
	struct sse sse;
	struct aws_event_stream aws;
};

struct framing {
	const char *content_type; // without parameters
	/* Takes bytes to the end of an event, or all of them; returns how many. -ENOMEM; -EBADMSG: it
	 * is no such stream. */
	ssize_t (*take)(union framing_state *state, const char *bytes, size_t size,
			struct framed_event *ret_event);
	size_t (*held)(const union framing_state *state); // bytes of an event that is not over
	void (*done)(union framing_state *state);
};

/* By the header of that name, or NULL: such a body is one piece. */
const struct framing *framing_find(const char *content_type);

extern const struct framing framing_sse;
extern const struct framing framing_aws;
