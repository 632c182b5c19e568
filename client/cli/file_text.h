#pragma once

#include <stddef.h>
#include <stdio.h>

/* All of a file, at most `limit` bytes, with a NUL behind it; free() it. -EFBIG when there is more,
 * -EIO or what errno says when it cannot be read, -ENOMEM. */
int file_text_read(FILE *in, size_t limit, char **ret_text, size_t *ret_size);
