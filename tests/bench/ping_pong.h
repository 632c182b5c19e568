/* The least that a round trip costs: two processes, a Unix socket, blocking reads and writes. */
#pragma once

#include <stddef.h>

/* A process that answers each `request_size` bytes with `reply_size` bytes. It ends when the
 * socket closes. Returns this side's socket. */
int ping_pong_start(size_t request_size, size_t reply_size);

/* One round trip over any stream socket whose messages end with a NUL byte: its seconds.
 * *ret_size (may be NULL) is the size of the reply. */
double ping_pong_round_trip(int fd, const char *request, size_t request_size, size_t *ret_size);
