/*
 * What a row of a run that compares experiments has parts for: each epoch, pair of experiments and order. The
 * order of a pair is that of the request, and then, as the next part, the other way round.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define COMPARED_MAX 10 // experiments
#define COMPARED_PARTS_MAX 2000 // of a row
#define COMPARED_BYTES_MAX (24u * 1024 * 1024) // of a row's answers; those of an epoch always fit

/* Experiments by their places: the one whose answer is shown first, and the other. */
struct compared_part {
	size_t epoch; // from 0
	size_t first, other;
};

/* In an epoch. */
static inline size_t compared_parts(size_t n_experiments)
{
	return n_experiments * (n_experiments - 1);
}

static inline struct compared_part compared_part(size_t n_experiments, size_t part)
{
	size_t pair = part % compared_parts(n_experiments) / 2, first = 0;

	while (pair >= n_experiments - 1 - first)
		pair -= n_experiments - 1 - first++;
	return part % 2 ? (struct compared_part){ part / compared_parts(n_experiments), first + 1 + pair, first } :
			  (struct compared_part){ part / compared_parts(n_experiments), first, first + 1 + pair };
}
