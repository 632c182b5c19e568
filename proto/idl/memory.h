/*
 * Memory of a program that runs for a moment: nothing is freed, and lack of memory ends it.
 */
#pragma once

#include <stddef.h>

void *memory_grow(void *items, size_t n, size_t item_size); // room for one more after `n`, zeroed
char *memory_copy(const char *text, size_t length);
/* `text`, and `line` behind it after a '\n' unless `text` is "". */
char *memory_join(const char *text, const char *line);
