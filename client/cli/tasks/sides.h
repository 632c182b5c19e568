/*
 * Experiments side by side: what came of each criterion, a column each.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ellu_experiment;

struct side {
	const char *label;
	int64_t id; // 0: it never came to be
	const struct ellu_experiment *experiment; // NULL: it cannot be had
};

/* At most PAIRS_MAX of them, in the format of standard output, which is none of a report's. 0, or the exit status. */
int sides_print(const struct side *sides, size_t n);
