/*
 * The values of one quantity as they come by: mean and percentiles (by nearest rank) in memory
 * that does not grow with their number. Percentiles are exact for up to QUANTITY_EXACT values
 * and for values below 8192; others are told to within 1/8192 of them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"

#define QUANTITY_EXACT 4096

struct quantity {
	int64_t n;
	double sum;
	int64_t *values; // as long as there are few
	uint32_t *buckets; // once there are more
};

/* Counts a value, 0 or more, with memory of the arena. -ENOMEM. */
int quantity_add(struct quantity *quantity, struct arena *arena, int64_t value);
/* The percentile, 1 to 100; `n` must be above 0. Sorts what it keeps. */
int64_t quantity_percentile(struct quantity *quantity, int64_t percent);
