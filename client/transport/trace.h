/*
 * What goes over the connections, on stderr, for who set $ELLUMINATE_DEBUG to 1. What may not be read
 * back from the daemon is not printed either.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* `sent`, or received over the descriptor. */
void trace_frame(int fd, bool sent, const char *text, size_t size);
