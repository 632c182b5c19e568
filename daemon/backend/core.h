/* What the backend consists of. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/backend/connection/bearer.h"
#include "daemon/backend/connection/descriptors.h"
#include "daemon/backend/connection/exchange.h"
#include "daemon/backend/connection/pool.h"
#include "daemon/backend/dialect/dialect.h"
#include "daemon/backend/dialect/target.h"
#include "daemon/backend/ground.h"
#include "daemon/backend/traffic.h"

struct event;
struct transport;
struct batch_job;
TAILQ_HEAD(batch_list, batch_job);

struct backend {
	struct ground ground;
	struct event *timer;
	int64_t timer_usec; // what the timer is set to, or DEADLINE_NEVER
	struct endpoints endpoints;
	struct admission admission;
	int n_outages; // endpoints whose breaker is not closed, and long pauses
	struct flows looks; // whether they are held is to be looked at
	bool draining;
	struct pools pools;
	struct bearers bearers;
	struct exchanges exchanges;
	struct batch_list batches; // that something is asked about
	bool uncollected; // transfers have finished that had no turn yet
	struct transfers unread; // answers that wait until others, or what came of them, have been read
	struct transfers news; // something came for who reads their streams
	bool read_on; // one of them may be next
	struct deadline rested; // sets it
	struct descriptors descriptors;
	struct jobs simulated_due;
	const struct transport *const *transports; // by enum transport_kind
};
