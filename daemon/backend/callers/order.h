/* What any thread asks of the backend's loop, beside calls and batches, which are messages themselves. */
#pragma once

#include <stdint.h>

#include "daemon/base/loop.h"

struct backend;
struct backend_flow;
struct backend_status;
struct provider_batch;

struct order {
	struct message message;
	struct backend *backend;
	struct backend_flow *flow;
	struct backend_status *status;
	struct provider_batch *batch;
	int64_t user;
	int priority;
	int cap;
	int64_t max_calls;
	int64_t max_calls_per_user;
	void (*carry_out)(struct order *order); // on that loop
};
int order_post(struct order order); // -ENOMEM
