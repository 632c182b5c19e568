/* What the store alone can take: submits handed to it in batches, without a daemon around it. */
#pragma once

#include <stddef.h>

struct store_rate {
	const char *state_dir; // a new folder, made if missing
	const char *first; // parameters of RunExperiment that make what the others refer to
	char *const *submits; // parameters of the others
	size_t n_submits;
	size_t batch; // so many are outstanding at once
};

/* Durable submits a second. */
double store_rate_measure(const struct store_rate *rate);
