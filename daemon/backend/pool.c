#include "daemon/backend/pool.h"

#include <stddef.h>
#include <stdlib.h>

#include "daemon/backend/transfer.h"

void pool_free_handle(struct transfer *transfer)
{
	struct backend *backend = transfer->backend;

	deadline_unset(&backend->deadlines, &transfer->deadline);
	deadlines_release(&backend->deadlines, 1);
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
	struct pool *pool = (struct pool *)((char *)deadline - offsetof(struct pool, idle));

	if (pool->n_busy == 0)
		pool_forget(pool);
}

int64_t pool_owner(const struct llm_target *target, int64_t user)
{
	return target->shared ? POOL_SHARED : user;
}

struct pool *pool_get(struct backend *backend, int64_t owner)
{
	struct pool *pool;

	TAILQ_FOREACH(pool, &backend->pools, of_all) {
		if (pool->user == owner)
			return pool;
	}
	pool = calloc(1, sizeof(*pool));
	if (!pool || deadlines_reserve(&backend->deadlines, 1) < 0) {
		free(pool);
		return NULL;
	}
	pool->backend = backend;
	pool->user = owner;
	pool->idle.passed = on_idle;
	TAILQ_INIT(&pool->spare);
	TAILQ_INIT(&pool->busy);
	TAILQ_INSERT_TAIL(&backend->pools, pool, of_all);
	return pool;
}

void pool_release(struct pool *pool)
{
	struct backend *backend = pool->backend;

	if (pool->n_origins > 0)
		return;
	pool_forget(pool);
	deadline_unset(&backend->deadlines, &pool->idle);
	deadlines_release(&backend->deadlines, 1);
	TAILQ_REMOVE(&backend->pools, pool, of_all);
	free(pool);
}

void pool_rest(struct pool *pool)
{
	struct backend *backend = pool->backend;

	deadline_set(&backend->deadlines, &pool->idle, backend->now_usec + POOL_IDLE_USEC);
}
