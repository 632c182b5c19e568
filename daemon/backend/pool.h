/*
 * One user's connections, and the handles that use them: no call goes over what another user's
 * calls have opened, and what one holds open crowds out nobody else's. Calls with configs that are
 * shared have a pool of their own, for whichever user they are made.
 */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "daemon/base/deadline.h"

struct backend;
struct llm_target;
struct multi;
struct transfer;
TAILQ_HEAD(transfers, transfer);

#define POOL_SHARED INT64_C(-1) // in place of a user
#define POOL_IDLE_USEC INT64_C(120000000) // then the peers have closed the connections, too

struct pool {
	TAILQ_ENTRY(pool) of_all; // backend::pools
	struct backend *backend;
	int64_t user;
	unsigned n_origins; // goes with the last
	unsigned n_endpoints;
	struct multi *multi; // made on first use
	struct transfers spare; // idle easy handles
	struct transfers busy;
	int n_busy;
	struct deadline idle; // when nothing has been in flight for so long, memory goes back
};
TAILQ_HEAD(pools, pool);

/* Whose pool serves the user's calls with the target. */
int64_t pool_owner(const struct llm_target *target, int64_t user);
struct pool *pool_get(struct backend *backend, int64_t owner); // NULL: -ENOMEM
/* Frees one that no origin uses. */
void pool_release(struct pool *pool);

/* Its last call has left flight. */
void pool_rest(struct pool *pool);
/* Gives back handles and connections; nothing of it is in flight. */
void pool_forget(struct pool *pool);
/* One handle, which is in no list. */
void pool_free_handle(struct transfer *transfer);
