#include "proto/arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE_MIN 1008 // with its head 1 KiB, which malloc keeps at hand for a thread
#define CHUNK_SIZE_MAX 65536

struct arena_chunk {
	struct arena_chunk *next; // older
	size_t size; // of data
	alignas(max_align_t) char data[];
};

void *(*arena_malloc)(size_t size) = malloc;

void arena_init(struct arena *arena)
{
	*arena = (struct arena) { 0 };
}

void arena_done(struct arena *arena)
{
	struct arena_chunk *next;

	for (struct arena_chunk *chunk = arena->chunk; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	arena_init(arena);
}

struct arena arena_take(struct arena *arena)
{
	struct arena taken = *arena;

	arena_init(arena);
	return taken;
}

size_t arena_size(const struct arena *arena)
{
	size_t size = 0;

	for (const struct arena_chunk *chunk = arena->chunk; chunk; chunk = chunk->next)
		size += chunk->size;
	return size;
}

/* A piece larger than a chunk gets one of its own, behind the newest, whose rest stays in use. */
static void *alloc_alone(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena_malloc(sizeof(*chunk) + size);

	if (!chunk)
		return NULL;
	chunk->size = size;
	chunk->next = NULL;
	if (arena->chunk) {
		chunk->next = arena->chunk->next;
		arena->chunk->next = chunk;
	} else {
		arena->chunk = chunk;
		arena->used = size;
	}
	return chunk->data;
}

static bool add_chunk(struct arena *arena)
{
	size_t size = arena->chunk_size ? arena->chunk_size : CHUNK_SIZE_MIN;
	struct arena_chunk *chunk = arena_malloc(sizeof(*chunk) + size);

	if (!chunk)
		return false;
	chunk->size = size;
	chunk->next = arena->chunk;
	arena->chunk = chunk;
	arena->used = 0;
	arena->chunk_size = size < CHUNK_SIZE_MAX ? 2 * size : size;
	return true;
}

/* Not zeroed. */
static void *take_piece(struct arena *arena, size_t size)
{
	const size_t alignment = alignof(max_align_t);
	void *piece;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = size == 0 ? alignment : (size + alignment - 1) / alignment * alignment;
	if (!arena->chunk || arena->chunk->size - arena->used < size) {
		if (size >= CHUNK_SIZE_MIN)
			return alloc_alone(arena, size);
		if (!add_chunk(arena))
			return NULL;
	}
	piece = arena->chunk->data + arena->used;
	arena->used += size;
	return piece;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	void *piece = take_piece(arena, size);

	return piece ? memset(piece, 0, size) : NULL;
}

void *arena_array(struct arena *arena, size_t n, size_t size)
{
	size_t total;

	return __builtin_mul_overflow(n, size, &total) ? NULL : arena_alloc(arena, total);
}

char *arena_strndup(struct arena *arena, const char *text, size_t size)
{
	char *copy = take_piece(arena, size + 1);

	if (copy && size > 0)
		memcpy(copy, text, size);
	if (copy)
		copy[size] = '\0';
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return text ? arena_strndup(arena, text, strlen(text)) : NULL;
}

char *arena_vprintf(struct arena *arena, const char *format, va_list arguments)
{
	va_list again;
	char *text;
	int size;

	va_copy(again, arguments);
	size = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (size < 0)
		return NULL;
	text = take_piece(arena, (size_t) size + 1);
	if (text)
		vsnprintf(text, (size_t) size + 1, format, arguments);
	return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = arena_vprintf(arena, format, arguments);
	va_end(arguments);
	return text;
}

const int64_t *arena_int(struct arena *arena, int64_t value)
{
	int64_t *copy = arena_alloc(arena, sizeof(*copy));

	if (copy)
		*copy = value;
	return copy;
}

const double *arena_float(struct arena *arena, double value)
{
	double *copy = arena_alloc(arena, sizeof(*copy));

	if (copy)
		*copy = value;
	return copy;
}

const int *arena_bool(struct arena *arena, bool value)
{
	int *copy = arena_alloc(arena, sizeof(*copy));

	if (copy)
		*copy = value;
	return copy;
}
