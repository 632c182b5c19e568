/*
 * Submitting a task for a call: every method that starts one fills an operation of the store and
 * answers through here. Its reply has the shape that follow.h asks for.
 */
#pragma once

#include "daemon/api/call.h"
#include "daemon/store/tasks.h"

/* How a method's task is posted and followed; the members are those of its request. */
struct submit_options {
	void (*post)(struct store *store, struct task_submit *op);
	const char *priority; // that the task will have
	const int *detach; // NULL: false, here and below
	const int *cancel_on_disconnect;
	const double *min_interval_seconds; // never NULL
};

/* A new operation of `size` bytes that begins with a task_submit, its scope filled in. NULL: there
 * is no memory or the daemon stops, and the call has failed. */
void *submit_operation(struct call *call, size_t size, const char *project);

/* Posts it. The operation is freed when the store has answered. */
void submit_post(struct call *call, struct task_submit *op, const struct submit_options *options);
