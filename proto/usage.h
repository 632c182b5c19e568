/*
 * Sums of what endpoints say that their answers took. -1 is unknown; a sum stays what every JSON
 * parser keeps exact.
 */
#pragma once

#include <stdint.h>

#include "proto/limits.h"

/* What comes from outside and is none of it, is unknown or as much as can be said. */
static inline int64_t usage_bounded(int64_t value)
{
	return value < 0 ? -1 : value > INTEGER_MAX ? INTEGER_MAX : value;
}

static inline void usage_add(int64_t *sum, int64_t value)
{
	int64_t known = *sum < 0 ? 0 : *sum;

	if (value >= 0)
		*sum = value > INTEGER_MAX - known ? INTEGER_MAX : known + value;
}
