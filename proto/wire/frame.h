/*
 * Messages that end with a NUL byte, cut out of a stream of bytes. The buffer grows on demand,
 * looks at each byte once, and gives memory back after large messages.
 *
 *	frame_reserve(), read into it, frame_commit(), then frame_next() until it gives 0.
 */
#pragma once

#include <stddef.h>

struct frame_buffer {
	char *data;
	size_t size; // allocated
	size_t start; // of what was not given out
	size_t scanned; // no NUL between start and here
	size_t end; // of what was read
};

#define FRAME_READ_SIZE 65536 // a good amount to reserve

void frame_init(struct frame_buffer *buffer);
void frame_done(struct frame_buffer *buffer);

/* Room for `want` bytes or more. -ENOMEM. */
int frame_reserve(struct frame_buffer *buffer, size_t want, char **ret_room, size_t *ret_size);
/* That many bytes were read into the room. */
void frame_commit(struct frame_buffer *buffer, size_t n);

/* 1: a message, NUL-terminated, `*ret_size` without the NUL; it may be changed in place, and
 * lives until the next call on the buffer. 0: more must be read. -EMSGSIZE: it is, or grows, larger
 * than MESSAGE_SIZE_MAX; the stream is of no use any more. */
int frame_next(struct frame_buffer *buffer, char **ret_message, size_t *ret_size);

/* Bytes of a message that has not ended. */
size_t frame_pending(const struct frame_buffer *buffer);
