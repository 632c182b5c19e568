/*
 * Sums of what endpoints say that their answers took. -1 is unknown; a sum stays what every JSON
 * parser keeps exact.
 */
#pragma once

#include <stdint.h>

#include "proto/limits.h"

static inline void usage_add(int64_t *sum, int64_t value)
{
	int64_t known = *sum < 0 ? 0 : *sum;

	if (value >= 0)
		*sum = value > INTEGER_MAX - known ? INTEGER_MAX : known + value;
}
