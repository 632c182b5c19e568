#include "daemon/backend/admission/endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/backend/admission/admission.h"
#include "daemon/backend/admission/allowance.h"
#include "daemon/backend/admission/hold.h"
#include "daemon/backend/core.h"
#include "daemon/backend/transport.h"
#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/base/hash.h"
#include "proto/text/utf8.h"

#define WARM_USEC (60 * USEC_PER_SEC) // so long a host stays warm unused
#define ENDPOINT_DEADLINES 4 // of its gates

int endpoints_init(struct endpoints *endpoints)
{
	TAILQ_INIT(&endpoints->all);
	if (table_init(&endpoints->table) < 0 || table_init(&endpoints->origins) < 0)
		return -ENOMEM;
	return 0;
}

static void origin_release(struct backend *backend, struct origin *origin)
{
	struct pool *pool = origin->pool;

	if (origin->n_endpoints > 0)
		return;
	table_remove(&backend->endpoints.origins, &origin->node);
	llm_target_unref(origin->target);
	free(origin);
	pool->n_origins--;
	pool_release(&backend->pools, pool);
}

static void endpoint_free(struct endpoint *endpoint)
{
	struct backend *backend = endpoint->backend;
	struct origin *origin = endpoint->origin;

	admission_forget(endpoint);
	if (endpoint->ready)
		TAILQ_REMOVE(&backend->admission.ready, endpoint, of_ready);
	deadline_unset(&backend->ground.deadlines, &endpoint->pause.until);
	deadline_unset(&backend->ground.deadlines, &endpoint->outage.until);
	deadline_unset(&backend->ground.deadlines, &endpoint->paced.until);
	deadline_unset(&backend->ground.deadlines, &endpoint->spent.until);
	deadlines_release(&backend->ground.deadlines, ENDPOINT_DEADLINES);
	for (unsigned gate = GATE_PAUSE; gate <= GATE_SPENT; gate *= 2)
		hold_over(endpoint, gate);
	if (endpoint->breaker.state != BREAKER_CLOSED)
		hold_outage(endpoint, false);
	TAILQ_REMOVE(&backend->endpoints.all, endpoint, of_all);
	table_remove(&backend->endpoints.table, &endpoint->node);
	bearer_forget(endpoint->bearer);
	llm_target_unref(endpoint->target);
	free(endpoint);
	origin->pool->n_endpoints--;
	origin->n_endpoints--;
	origin_release(backend, origin);
}

void endpoints_done(struct backend *backend)
{
	struct endpoints *endpoints = &backend->endpoints;

	while (endpoints->table.n > 0)
		endpoint_free(TAILQ_FIRST(&endpoints->all));
	table_done(&endpoints->table);
	table_done(&endpoints->origins);
}

static bool is_idle(const struct endpoint *endpoint)
{
	return endpoint->in_flight == 0 && endpoint->waiting == 0;
}

static bool is_well(const struct endpoint *endpoint)
{
	return !gate_is_closed(&endpoint->pause) && endpoint->breaker.state == BREAKER_CLOSED;
}

/* The user's own: what others have learnt is theirs. */
static void forget_oldest(struct endpoints *endpoints, const struct pool *pool)
{
	struct endpoint *endpoint;

	if (pool->n_endpoints < ENDPOINTS_KEPT)
		return;
	TAILQ_FOREACH(endpoint, &endpoints->all, of_all) {
		if (endpoint->origin->pool == pool && is_idle(endpoint) &&
		    (is_well(endpoint) || pool->n_endpoints >= ENDPOINTS_UNWELL_KEPT)) {
			endpoint_free(endpoint);
			return;
		}
	}
}

static struct origin *origin_get(struct backend *backend, struct llm_target *target,
				 struct pool *pool)
{
	struct table *table = &backend->endpoints.origins;
	uint64_t hash = target->path ^ table_hash((uint64_t)pool->user);
	struct table_node *node;
	struct origin *origin;

	for (node = table_first(table, hash); node; node = table_next(node)) {
		origin = (struct origin *)node; // its first member
		if (origin->pool == pool && target_same_path(origin->target, target))
			return origin;
	}
	origin = calloc(1, sizeof(*origin));
	if (!origin)
		return NULL;
	origin->pool = pool;
	origin->target = llm_target_ref(target);
	origin->name = target->origin;
	origin->connects = backend->transports[target->dialect->transport]->connects;
	origin->state = origin->connects ? ORIGIN_COLD : ORIGIN_WARM;
	pool->n_origins++;
	table_add(table, &origin->node, hash);
	return origin;
}

static void open_gate(struct endpoint *endpoint, enum gate_kind kind)
{
	hold_over(endpoint, kind);
	admission_gates(&endpoint->backend->admission, endpoint);
}

static void on_paced(struct deadline *deadline)
{
	open_gate(container_of(deadline, struct endpoint, paced.until), GATE_PACED);
}

static void on_spent(struct deadline *deadline)
{
	open_gate(container_of(deadline, struct endpoint, spent.until), GATE_SPENT);
}

static void on_resume(struct deadline *deadline)
{
	struct endpoint *endpoint = container_of(deadline, struct endpoint, pause.until);
	int64_t now_usec = endpoint->backend->ground.now_usec;

	endpoint->resumed = true;
	pace_resumed(&endpoint->pace,
		     aimd_resumed(&endpoint->working, endpoint->in_flight, now_usec), now_usec);
	open_gate(endpoint, GATE_PAUSE);
}

void endpoint_resume(struct endpoint *endpoint)
{
	if (!gate_is_closed(&endpoint->pause))
		return;
	deadline_unset(&endpoint->backend->ground.deadlines, &endpoint->pause.until);
	on_resume(&endpoint->pause.until);
}

static struct endpoint *endpoint_new(struct backend *backend, struct llm_target *target,
				     struct pool *pool)
{
	struct endpoint *endpoint = calloc(1, sizeof(*endpoint));
	struct origin *origin;

	if (!endpoint || deadlines_reserve(&backend->ground.deadlines, ENDPOINT_DEADLINES) < 0) {
		free(endpoint);
		return NULL;
	}
	origin = origin_get(backend, target, pool);
	if (!origin) {
		deadlines_release(&backend->ground.deadlines, ENDPOINT_DEADLINES);
		free(endpoint);
		return NULL;
	}
	origin->n_endpoints++;
	pool->n_endpoints++;
	endpoint->origin = origin;
	endpoint->backend = backend;
	endpoint->target = llm_target_ref(target);
	endpoint->pause.until.passed = on_resume;
	endpoint->paced.until.passed = on_paced;
	endpoint->spent.until.passed = on_spent;
	aimd_set(&endpoint->working, BACKEND_CONNECTIONS_START, BACKEND_CONNECTIONS_GROWN);
	endpoint->form = target->dialect->form;
	turns_init(&endpoint->turns);
	TAILQ_INIT(&endpoint->guests);
	TAILQ_INSERT_TAIL(&backend->endpoints.all, endpoint, of_all);
	return endpoint;
}

static struct endpoint *find(const struct endpoints *endpoints, const struct llm_target *target,
			     int64_t owner, uint64_t hash)
{
	struct table_node *node;

	for (node = table_first(&endpoints->table, hash); node; node = table_next(node)) {
		struct endpoint *endpoint = (struct endpoint *)node; // its first member

		if (endpoint->origin->pool->user == owner && target_same(endpoint->target, target))
			return endpoint;
	}
	return NULL;
}

int endpoint_get(struct backend *backend, struct llm_target *target, int64_t user,
		 struct endpoint **ret_endpoint)
{
	struct endpoints *endpoints = &backend->endpoints;
	int64_t owner = pool_owner(target, user);
	uint64_t hash = target->identity ^ table_hash((uint64_t)owner);
	struct endpoint *endpoint = find(endpoints, target, owner, hash);

	if (!endpoint) {
		struct pool *pool = pool_get(&backend->pools, &backend->ground, owner);

		if (!pool)
			return -ENOMEM;
		/* It must not go with the endpoint that makes room. */
		pool->n_origins++;
		forget_oldest(endpoints, pool);
		endpoint = endpoint_new(backend, target, pool);
		pool->n_origins--;
		if (!endpoint) {
			pool_release(&backend->pools, pool);
			return -ENOMEM;
		}
		table_add(&endpoints->table, &endpoint->node, hash);
	} else if (endpoint != TAILQ_LAST(&endpoints->all, endpoint_list)) {
		TAILQ_REMOVE(&endpoints->all, endpoint, of_all);
		TAILQ_INSERT_TAIL(&endpoints->all, endpoint, of_all);
	}
	*ret_endpoint = endpoint;
	return 0;
}

bool endpoint_is_shared(const struct endpoint *endpoint)
{
	return endpoint->origin->pool->user == POOL_SHARED;
}

static void set_loosest(struct endpoint *endpoint, int cap)
{
	if (cap == endpoint->loosest)
		return;
	endpoint->loosest = cap;
	aimd_set(&endpoint->working, cap > 0 ? cap : BACKEND_CONNECTIONS_START,
		 cap > 0 ? cap : BACKEND_CONNECTIONS_GROWN);
	admission_consider(&endpoint->backend->admission, endpoint);
}

void endpoint_enter(struct endpoint *endpoint, const struct llm_target *target)
{
	int cap = target->max_connections, loosest = endpoint->loosest;
	bool first = endpoint->caps[loosest] == 0; // after a pause, it finds the cap of those before

	endpoint->caps[cap]++;
	allowance_enter(endpoint, target);
	if (first || (loosest > 0 && (cap == 0 || cap > loosest)))
		set_loosest(endpoint, cap);
}

void endpoint_leave(struct endpoint *endpoint, const struct llm_target *target)
{
	int cap = target->max_connections;

	if (--endpoint->caps[cap] > 0 || cap != endpoint->loosest)
		return;
	for (int next = BACKEND_CONNECTIONS_MAX; next > 0; next--) {
		if (endpoint->caps[next] > 0) {
			set_loosest(endpoint, next);
			return;
		}
	}
	/* An endpoint without calls keeps its cap: the next ones will most likely bring the same. */
}

void endpoint_issued(struct job *job)
{
	struct endpoint *endpoint = job->endpoint;
	struct origin *origin = endpoint->origin;
	int64_t now_usec = endpoint->backend->ground.now_usec;

	if (origin->connects && origin->state == ORIGIN_WARM && origin->in_flight == 0 &&
	    now_usec - origin->used_usec > WARM_USEC)
		origin->state = ORIGIN_COLD;
	if (origin->state == ORIGIN_COLD)
		origin->state = ORIGIN_PROBING;
	origin->in_flight++;
	endpoint->in_flight++;
	endpoint->calls++;
	aimd_issued(&endpoint->working, endpoint->in_flight);
	job->among = endpoint->in_flight;
	if (allowance_take(job))
		admission_gates(&endpoint->backend->admission, endpoint);
}

void endpoint_ended(struct endpoint *endpoint)
{
	endpoint->origin->in_flight--;
	endpoint->origin->used_usec = endpoint->backend->ground.now_usec;
	endpoint->in_flight--;
	admission_consider(&endpoint->backend->admission, endpoint);
}

void endpoint_settled(struct job *job, const struct attempt *attempt)
{
	struct endpoint *endpoint = job->endpoint;

	if (!allowance_settle(job, attempt) || !gate_is_closed(&endpoint->spent))
		return;
	deadline_unset(&endpoint->backend->ground.deadlines, &endpoint->spent.until);
	on_spent(&endpoint->spent.until);
}

void endpoint_told(struct job *job, const struct told news[static _TOLD_MAX])
{
	if (allowance_told(job, news))
		admission_gates(&job->backend->admission, job->endpoint);
}

static void consider_all(struct endpoint *endpoint)
{
	struct backend *backend = endpoint->backend;
	struct endpoint *other;

	TAILQ_FOREACH(other, &backend->endpoints.all, of_all) {
		if (other->origin == endpoint->origin)
			admission_consider(&backend->admission, other);
	}
}

void endpoint_connected(struct endpoint *endpoint)
{
	struct origin *origin = endpoint->origin;

	if (origin->state == ORIGIN_WARM)
		return;
	origin->state = ORIGIN_WARM;
	consider_all(endpoint);
}

void endpoint_not_connected(struct endpoint *endpoint)
{
	struct origin *origin = endpoint->origin;

	/* Others may still be under way on connections that stand. */
	if (origin->state == ORIGIN_WARM && origin->in_flight > 0)
		return;
	origin->state = ORIGIN_COLD;
	consider_all(endpoint);
}

void endpoint_succeeded(struct endpoint *endpoint, const struct job *job, int64_t latency_usec)
{
	endpoint->answered++;
	endpoint->wait_streak = 0;
	if (aimd_succeeded(&endpoint->working, job->among, latency_usec, endpoint->in_flight,
			   endpoint->backend->ground.now_usec))
		admission_consider(&endpoint->backend->admission, endpoint);
}

void endpoint_failed(struct endpoint *endpoint)
{
	endpoint->errors++;
	aimd_failed(&endpoint->working, endpoint->in_flight);
	pace_failed(&endpoint->pace, endpoint->backend->ground.now_usec);
}

const char *endpoint_failure(const struct endpoint *endpoint, const struct attempt *attempt,
			     char text[static ENDPOINT_FAILURE_MAX])
{
	int n;

	if (endpoint_is_shared(endpoint) && attempt->status > 0)
		n = snprintf(text, ENDPOINT_FAILURE_MAX, "HTTP status %d", attempt->status);
	else if (attempt->status > 0)
		n = snprintf(text, ENDPOINT_FAILURE_MAX, "HTTP status %d (%s)", attempt->status,
			     attempt->message);
	else
		n = snprintf(text, ENDPOINT_FAILURE_MAX, "%s", attempt->message);
	if (n >= ENDPOINT_FAILURE_MAX)
		text[utf8_cut(text, ENDPOINT_FAILURE_MAX, ENDPOINT_FAILURE_MAX - 1)] = '\0';
	return text;
}

/* How long, from now on; 0: the pause that there is will do. */
static int64_t wait_of(struct endpoint *endpoint, int64_t asked_usec)
{
	double random = random_fraction(&endpoint->backend->ground.random);

	if (asked_usec >= 0)
		return retry_floor_usec(asked_usec, random);
	/* All that were under way when the first was refused mean the same. */
	if (gate_is_closed(&endpoint->pause))
		return 0;
	return retry_wait_usec(++endpoint->wait_streak, random);
}

/* What a refusal says of the number of calls, or of their rate. */
static void learn(struct endpoint *endpoint, struct job *job)
{
	int64_t now_usec = endpoint->backend->ground.now_usec;
	/* Others went through since this one was refused before: it is about this one. */
	bool odd = job->refused_at > 0 && endpoint->answered >= job->refused_at;

	job->refused_at = endpoint->answered + 1;
	if (!odd)
		aimd_refused(&endpoint->working, job->among, endpoint->in_flight, now_usec);
	pace_refused(&endpoint->pace, job->started_usec, now_usec);
}

void endpoint_wait(struct endpoint *endpoint, struct job *job, const struct attempt *attempt)
{
	struct backend *backend = endpoint->backend;
	bool was_closed = gate_is_closed(&endpoint->pause);
	char failure[ENDPOINT_FAILURE_MAX];

	endpoint->waits++;
	if (attempt->status == 429)
		learn(endpoint, job);
	gate_close(&endpoint->pause, &backend->ground.deadlines,
		   backend->ground.now_usec + wait_of(endpoint, attempt->wait_usec),
		   "it asks for a pause: %s", endpoint_failure(endpoint, attempt, failure));
	if (!was_closed)
		admission_gates(&backend->admission, endpoint);
	hold_if_long(endpoint, &endpoint->pause, GATE_PAUSE);
}
