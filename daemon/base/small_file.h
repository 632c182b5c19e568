/*
 * Files that a request or a configuration names, read whole: a regular file, of a bounded size.
 * What else there is under a name, a FIFO or a device, is not waited for. Any thread.
 */
#pragma once

#include <stddef.h>

#include "proto/arena.h"

/* From `folder_fd`, or AT_FDCWD. *ret_text lies in the arena, with a NUL behind it. -EINVAL: not a
 * regular file; -EFBIG: larger than `max`. Leaves no copy behind. */
int small_file_read(int folder_fd, const char *path, size_t max, struct arena *arena,
		    char **ret_text, size_t *ret_size) __attribute__((warn_unused_result));
