/* What a queue is made with. */
#pragma once

#include <stdint.h>

struct backend;
struct loop;
struct store;

struct queue_limits {
	int64_t max_pending;
	int64_t max_pending_per_user;
	int64_t max_running; // interactive tasks are counted apart, here and below
	int64_t max_running_per_user;
	int64_t max_interactive;
	int64_t max_interactive_per_user;
	int64_t batch_poll_seconds; // at most, between two looks at a batch that a provider has
};

struct queue_options {
	struct loop *loop;
	struct store *store;
	struct backend *backend;
	unsigned n_workers;
	struct queue_limits limits;
};
