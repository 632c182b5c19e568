/*
 * The evaluators that are built in, of daemon/evaluators.txt, which explains the form. Immutable once
 * it is made; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/fault/fault.h"

struct catalogue_entry {
	const char *name;
	const char *intent;
	const char *function; // that decides it without a model; NULL: a model does
	const char *prompt; // with a placeholder for each input; NULL with a function
	const char **inputs; // in the order in which the prompt has them
	size_t n_inputs;
	bool embeddings; // a model for those compares its two inputs
};

struct catalogue;

/* Of `text`, or (NULL) of what is built in. -EINVAL names `where` and the line. */
int catalogue_new(const char *text, const char *where, struct catalogue **ret_catalogue,
		  struct fault *fault) __attribute__((warn_unused_result));
struct catalogue *catalogue_free(struct catalogue *catalogue);

/* Of all that is in it: scores by one version say nothing of those by another. */
int64_t catalogue_version(const struct catalogue *catalogue);
/* In the order of the file; NULL behind the last. */
const struct catalogue_entry *catalogue_at(const struct catalogue *catalogue, size_t index);
/* By the exact name; NULL: none. */
const struct catalogue_entry *catalogue_find(const struct catalogue *catalogue, const char *name);
