/*
 * The simulated endpoint: its state, and the way from a request's path to what answers it.
 */
#pragma once

#include <event2/event_struct.h>
#include <stdint.h>
#include <sys/queue.h>

#include "tests/sim/behaviour.h"
#include "tests/sim/counters.h"
#include "tests/sim/http_server.h"
#include "tests/sim/kept_requests.h"

struct chat_call;
TAILQ_HEAD(chat_call_queue, chat_call);

struct batch;
struct file;

/* What batches.c keeps, and counts. */
struct batches {
	struct batch *all; /* the latest first */
	struct file *files;
	int64_t n, n_files, n_items, n_looks, n_downloads, n_cancelled, n_stalls, n_refused;
};

struct simulator {
	struct event_base *base;
	struct http_server *server;
	struct http_handler handler;
	struct behaviour behaviour;
	struct counters counters;
	struct kept_requests kept;
	struct chat_call_queue calls;   /* all but the waiting */
	struct chat_call_queue waiting; /* for a free slot, the oldest first */
	struct event admit_event;
	int64_t window_start_usec; /* of the rate limit */
	int64_t window_calls;
	int64_t n_exchanges; /* of assertions */
	struct batches batches;
};

/* behaviour and kept.n_slots may be set between init and start. */
void simulator_init(struct simulator *simulator, struct event_base *base);
int simulator_start(struct simulator *simulator, uint16_t port);
void simulator_done(struct simulator *simulator);
