/*
 * A fast hash and a deterministic sequence of numbers; neither is for adversaries. Nothing here has
 * state of its own: any thread may call.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* `seed` chains several pieces. */
uint64_t hash_bytes(uint64_t seed, const void *data, size_t size);

/* The next number of a sequence, and the same as a fraction in [0, 1). */
uint64_t random_next(uint64_t *state);
double random_fraction(uint64_t *state);
