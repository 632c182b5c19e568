/*
 * The event stream of Amazon's web services, out of bytes that come in any pieces: messages with
 * two sizes, headers, a payload and two checksums. Pure. A zeroed one is valid.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/backend/wire/buffer.h"

/* In the stream until more is taken from it. */
struct aws_event {
	const char *type; // which event, exception or error; empty where nothing says
	char *payload; // NULL: there is no event yet
	size_t size;
	bool is_error; // an exception, or what lies before the service has one
};

struct aws_event_stream {
	struct buffer message; // as far as it has come
	uint32_t size; // of the message, once its beginning has come; else 0
	bool told; // it was: with the next bytes another begins
	char type[64];
	struct buffer error; // the payload of one that has none, as a service would write it
};

void aws_event_stream_done(struct aws_event_stream *stream);

/* Takes bytes to the end of a message, or all of them; returns how many. -ENOMEM; -EBADMSG: it is no
 * such stream, or damaged, and there is no more of it. */
ssize_t aws_event_stream_take(struct aws_event_stream *stream, const char *bytes, size_t size,
			      struct aws_event *ret_event);

size_t aws_event_stream_held(const struct aws_event_stream *stream); // bytes of a message not over
