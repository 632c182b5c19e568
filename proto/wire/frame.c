#include "proto/wire/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"

/* What an empty buffer may keep. */
#define KEEP_SIZE FRAME_READ_SIZE

void frame_init(struct frame_buffer *buffer)
{
	*buffer = (struct frame_buffer) { 0 };
}

void frame_done(struct frame_buffer *buffer)
{
	free(buffer->data);
	frame_init(buffer);
}

size_t frame_pending(const struct frame_buffer *buffer)
{
	return buffer->end - buffer->start;
}

/* Puts what is pending to the front of `data`, which may be the old one. */
static void move_pending(struct frame_buffer *buffer, char *data, size_t size)
{
	size_t pending = frame_pending(buffer);

	if (pending > 0 && data != buffer->data + buffer->start)
		memmove(data, buffer->data + buffer->start, pending);
	if (data != buffer->data)
		free(buffer->data);
	buffer->data = data;
	buffer->size = size;
	buffer->scanned -= buffer->start;
	buffer->start = 0;
	buffer->end = pending;
}

/* Moving costs what is pending. It happens only when as much was given out since the last time,
 * or when the size doubles, so that each byte moves a constant number of times. */
int frame_reserve(struct frame_buffer *buffer, size_t want, char **ret_room, size_t *ret_size)
{
	size_t pending = frame_pending(buffer);
	size_t least = pending + want;

	if (buffer->size - buffer->end < want) {
		if (least <= buffer->size && buffer->start >= pending) {
			move_pending(buffer, buffer->data, buffer->size);
		} else {
			size_t size = least;

			if (size < 2 * buffer->size && 4 * pending > buffer->size)
				size = 2 * buffer->size;
			if (size > MESSAGE_SIZE_MAX + 1 + want && MESSAGE_SIZE_MAX + 1 + want >= least)
				size = MESSAGE_SIZE_MAX + 1 + want;

			/* What begins with the buffer grows without being copied, if it is large. */
			char *data = buffer->start ? malloc(size) : realloc(buffer->data, size);

			if (!data)
				return -ENOMEM;
			if (buffer->start == 0)
				buffer->data = data;
			move_pending(buffer, data, size);
		}
	}
	*ret_room = buffer->data + buffer->end;
	*ret_size = buffer->size - buffer->end;
	return 0;
}

void frame_commit(struct frame_buffer *buffer, size_t n)
{
	buffer->end += n;
}

int frame_next(struct frame_buffer *buffer, char **ret_message, size_t *ret_size)
{
	size_t limit = buffer->end;
	char *nul;

	if (buffer->start == buffer->end) {
		if (buffer->size > KEEP_SIZE)
			frame_done(buffer);
		buffer->start = buffer->scanned = buffer->end = 0;
		return 0;
	}
	if (limit - buffer->start > MESSAGE_SIZE_MAX + 1)
		limit = buffer->start + MESSAGE_SIZE_MAX + 1;
	nul = memchr(buffer->data + buffer->scanned, '\0', limit - buffer->scanned);
	if (!nul) {
		buffer->scanned = limit;
		return limit - buffer->start > MESSAGE_SIZE_MAX ? -EMSGSIZE : 0;
	}
	*ret_message = buffer->data + buffer->start;
	*ret_size = (size_t) (nul - *ret_message);
	buffer->start = (size_t) (nul + 1 - buffer->data);
	buffer->scanned = buffer->start;
	return 1;
}
