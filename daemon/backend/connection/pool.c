#include "daemon/backend/connection/pool.h"

#include <stdlib.h>

#include "daemon/backend/connection/descriptors.h"
#include "daemon/backend/dialect/target.h"
#include "daemon/base/container_of.h"

void pool_free_handle(struct transfer *transfer)
{
	struct deadlines *deadlines = &transfer->pool->ground->deadlines;

	deadline_unset(deadlines, &transfer->deadline);
	deadlines_release(deadlines, 1);
	if (transfer->easy)
		curl_easy_cleanup(transfer->easy);
	llm_target_unref(transfer->target);
	buffer_done(&transfer->body);
	buffer_done(&transfer->signature);
	free(transfer);
}

void pool_forget(struct pool *pool)
{
	struct transfer *transfer;

	/* Easy handles refer to the multi handle by their options. */
	while ((transfer = TAILQ_FIRST(&pool->spare))) {
		TAILQ_REMOVE(&pool->spare, transfer, of_list);
		pool_free_handle(transfer);
	}
	pool->multi = multi_free(pool->multi);
}

static void on_idle(struct deadline *deadline)
{
	struct pool *pool = container_of(deadline, struct pool, idle);

	if (pool->n_busy == 0)
		pool_forget(pool);
}

int64_t pool_owner(const struct llm_target *target, int64_t user)
{
	return target->shared ? POOL_SHARED : user;
}

struct pool *pool_get(struct pools *pools, struct ground *ground, int64_t owner)
{
	struct pool *pool;

	TAILQ_FOREACH(pool, pools, of_all) {
		if (pool->user == owner)
			return pool;
	}
	pool = calloc(1, sizeof(*pool));
	if (!pool || deadlines_reserve(&ground->deadlines, 1) < 0) {
		free(pool);
		return NULL;
	}
	pool->ground = ground;
	pool->user = owner;
	pool->idle.passed = on_idle;
	TAILQ_INIT(&pool->spare);
	TAILQ_INIT(&pool->busy);
	TAILQ_INSERT_TAIL(pools, pool, of_all);
	return pool;
}

void pool_release(struct pools *pools, struct pool *pool)
{
	if (pool->n_origins > 0)
		return;
	pool_forget(pool);
	deadline_unset(&pool->ground->deadlines, &pool->idle);
	deadlines_release(&pool->ground->deadlines, 1);
	TAILQ_REMOVE(pools, pool, of_all);
	free(pool);
}

void pool_rest(struct pool *pool)
{
	deadline_set(&pool->ground->deadlines, &pool->idle, pool->ground->now_usec + POOL_IDLE_USEC);
}

/* Pools that are not in use close all, the others come down to what they use. */
static void give_way(struct pools *pools)
{
	struct pool *pool;

	TAILQ_FOREACH(pool, pools, of_all) {
		if (pool->n_busy == 0)
			pool_forget(pool);
		else if (pool->multi)
			multi_keep(pool->multi, pool->n_busy);
	}
}

void pools_fit(struct pools *pools, struct descriptors *descriptors)
{
	struct pool *pool;

	if (descriptors->eased) {
		TAILQ_FOREACH(pool, pools, of_all) {
			if (pool->multi)
				multi_keep(pool->multi, BACKEND_CONNECTIONS_MAX);
		}
	}
	if (descriptors->give_way)
		give_way(pools);
	descriptors->eased = descriptors->give_way = false;
}
