/* SPDX-License-Identifier: MIT */
/* The queue from inside, for the files that are its parts. */
#pragma once

#include "daemon/queue/live_task.h"
#include "daemon/queue/queue.h"
#include "daemon/queue/schedule.h"

struct queue {
	struct queue_options options;
	struct schedule *schedule;
	struct live_tasks tasks;
	struct work *work;
	int64_t n_watches;
	int64_t n_outstanding; // operations with the store that end in a callback here
	bool storage_full;
	bool stopping;
	void (*ready)(void *userdata);
	void (*stopped)(void *userdata);
	void *userdata; // of `ready`, then of `stopped`
	struct tasks_pending_page page;
};
