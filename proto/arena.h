/*
 * A bump allocator: many small pieces that are freed together. All memory comes zeroed and
 * aligned for any type; NULL means that there is none left. A zeroed arena is valid and empty.
 *
 * An arena may be moved by copying the struct (arena_take() does it and empties the source);
 * what lies in it does not move. One arena belongs to one thread at a time.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunk; // the newest
	size_t used; // of it
	size_t chunk_size; // of the next one
};

/* Where chunks come from; tests replace it to make the Nth allocation fail. */
extern void *(*arena_malloc)(size_t size);

void arena_init(struct arena *arena);
void arena_done(struct arena *arena); // frees everything; the arena is empty and usable
struct arena arena_take(struct arena *arena);
size_t arena_size(const struct arena *arena); // bytes that it holds

void *arena_alloc(struct arena *arena, size_t size);
void *arena_array(struct arena *arena, size_t n, size_t size); // n may be 0: still not NULL
char *arena_strdup(struct arena *arena, const char *text); // NULL for NULL
char *arena_strndup(struct arena *arena, const char *text, size_t size);
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

/* Values for optional scalars. */
const int64_t *arena_int(struct arena *arena, int64_t value);
const double *arena_float(struct arena *arena, double value);
const int *arena_bool(struct arena *arena, bool value);
