/*
 * The queue comes to rest: no worker has anything, and nothing is with the store. A drain waits for the
 * first, a stop for both.
 */
#pragma once

#include <stdbool.h>

struct queue;

/* Waits until nothing runs: `done` is called then (perhaps at once), or with `undone` when claiming began
 * again before that. */
struct queue_drain {
	void (*done)(struct queue_drain *drain, bool undone);
	void *userdata;
	struct queue_drain *next; // queue::drains
};

/* Counts what is with the store; at rest a stop or a drain completes. */
void queue_count_outstanding(struct queue *queue, int change);
