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
	int64_t capacity; // of those
	uint32_t *buckets; // once there are more
};

/* Counts a value, 0 or more, with memory of the arena. -ENOMEM. */
int quantity_add(struct quantity *quantity, struct arena *arena, int64_t value);
/* Counts them in up to QUANTITY_BINS bins, whose ends are each `*ret_ratio` times as large as those before, the
 * first one's lower end `*ret_least`; what is less is in that one. Returns how many bins there are. */
#define QUANTITY_BINS 24
size_t quantity_bins(const struct quantity *quantity, double *ret_least, double *ret_ratio,
		     int64_t ret_counts[static QUANTITY_BINS]);
/* The percentile, 1 to 100; `n` must be above 0. Sorts what it keeps. */
int64_t quantity_percentile(struct quantity *quantity, int64_t percent);
