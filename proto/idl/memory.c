#include "proto/idl/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *check(void *memory)
{
	if (!memory) {
		fputs("out of memory\n", stderr);
		exit(EXIT_FAILURE);
	}
	return memory;
}

void *memory_grow(void *items, size_t n, size_t item_size)
{
	char *grown = check(realloc(items, (n + 1) * item_size));

	memset(grown + n * item_size, 0, item_size);
	return grown;
}

char *memory_copy(const char *text, size_t length)
{
	char *copy = check(malloc(length + 1));

	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *memory_join(const char *text, const char *line)
{
	size_t a = strlen(text), b = strlen(line);
	char *joined = check(malloc(a + b + 2));

	memcpy(joined, text, a);
	if (a > 0)
		joined[a++] = '\n';
	memcpy(joined + a, line, b + 1);
	return joined;
}
