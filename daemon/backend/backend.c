/*
 * The mailbox side and the turn. Messages and events of a turn only note what happened; at its
 * end finished transfers are taken out, their calls go back, and what may go takes the free
 * slots, in this order and in the same turn.
 */
#include "daemon/backend/backend.h"

#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/random.h>

#include "daemon/backend/admission/admission.h"
#include "daemon/backend/admission/allowance.h"
#include "daemon/backend/admission/endpoint.h"
#include "daemon/backend/admission/hold.h"
#include "daemon/backend/callers/order.h"
#include "daemon/backend/connection/multi.h"
#include "daemon/backend/core.h"
#include "daemon/backend/job/job.h"
#include "daemon/backend/job/reception.h"
#include "daemon/backend/job/transfer.h"
#include "daemon/backend/transport.h"
#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "proto/limits.h"

#define ROUNDS_MAX 16 // of a turn, before other events get theirs
#define TURN_USEC 5000 // the same

static const struct transport *const transports[_TRANSPORT_MAX] = {
	[TRANSPORT_HTTP] = &transport_http,
	[TRANSPORT_SIMULATED] = &transport_simulated,
};

/* What each user's connections took of the loop's time so far is his. */
static void begin_round(struct backend *backend)
{
	int64_t now_usec = clock_monotonic_usec();
	struct pool *pool;

	backend->ground.now_usec = now_usec;
	TAILQ_FOREACH(pool, &backend->pools, of_all) {
		loop_share_next_round(&pool->share);
		if (pool->multi)
			loop_share_took(&pool->share, multi_take_used_usec(pool->multi), now_usec);
	}
}

static void issue(struct backend *backend)
{
	int64_t began_usec = clock_monotonic_usec(), now_usec;
	struct job *job;

	if (backend->draining)
		return;
	while (descriptors_allow_call(&backend->descriptors) &&
	       (job = admission_next(&backend->admission, backend->ground.now_usec))) {
		struct pool *pool = job->endpoint->origin->pool;

		/* It may end at once. */
		job_start(job);
		now_usec = clock_monotonic_usec();
		loop_share_took(&pool->share, now_usec - began_usec, now_usec);
		began_usec = now_usec;
	}
}

/* When curl, or a call that was kept back, wants to run next, for any of the pools. */
static int64_t pools_due_usec(const struct backend *backend)
{
	int64_t due_usec = DEADLINE_NEVER;
	const struct pool *pool;

	TAILQ_FOREACH(pool, &backend->pools, of_all) {
		if (pool->multi && multi_due_usec(pool->multi) < due_usec)
			due_usec = multi_due_usec(pool->multi);
		if (loop_share_due_usec(&pool->share) < due_usec)
			due_usec = loop_share_due_usec(&pool->share);
	}
	return due_usec < exchanges_due_usec(&backend->exchanges) ? due_usec :
								    exchanges_due_usec(&backend->exchanges);
}

static void kick_multis(struct backend *backend)
{
	struct pool *pool;

	TAILQ_FOREACH(pool, &backend->pools, of_all) {
		if (pool->multi && multi_due_usec(pool->multi) <= backend->ground.now_usec)
			multi_kick(pool->multi);
	}
	exchanges_kick(&backend->exchanges);
}

static void set_timer(struct backend *backend)
{
	int64_t usec = deadlines_next(&backend->ground.deadlines), pools_usec = pools_due_usec(backend);
	struct timeval after;

	if (pools_usec < usec)
		usec = pools_usec;
	if (!TAILQ_EMPTY(&backend->simulated_due) || backend->uncollected)
		usec = 0;
	/* One that fires too early does no harm, and setting it for each call would. */
	if (usec >= backend->timer_usec && usec != DEADLINE_NEVER)
		return;
	if (usec == backend->timer_usec)
		return;
	backend->timer_usec = usec;
	if (usec == DEADLINE_NEVER) {
		event_del(backend->timer);
		return;
	}
	usec -= clock_monotonic_usec();
	usec = usec > 0 ? usec : 0;
	after.tv_sec = usec / USEC_PER_SEC;
	after.tv_usec = usec % USEC_PER_SEC;
	(void)event_add(backend->timer, &after);
}

static void on_turn(void *userdata)
{
	struct backend *backend = userdata;
	int64_t began_usec = clock_monotonic_usec();

	for (int round = 0; round < ROUNDS_MAX; round++) {
		begin_round(backend);
		transfer_collect(backend);
		transfer_repair(backend);
		exchanges_collect(&backend->exchanges);
		deadlines_run(&backend->ground.deadlines, backend->ground.now_usec);
		pools_fit(&backend->pools, &backend->descriptors);
		reception_tell(backend);
		transfer_read_on(backend);
		simulated_run(backend);
		issue(backend);
		loop_hand_over(); // before the requests are sent
		if (clock_monotonic_usec() - began_usec > TURN_USEC)
			break;
		if (TAILQ_EMPTY(&backend->simulated_due) &&
		    pools_due_usec(backend) > backend->ground.now_usec)
			break;
		kick_multis(backend);
	}
	hold_tell(backend);
	set_timer(backend);
}

static void on_timer(evutil_socket_t fd, short events, void *userdata)
{
	struct backend *backend = userdata;

	/* The turn's end does the work. */
	(void)fd;
	(void)events;
	backend->timer_usec = DEADLINE_NEVER;
}

int backend_global_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -EIO;
}

static int backend_init(struct backend *backend)
{
	if (descriptors_init(&backend->descriptors, &backend->ground, &backend->admission.slots) < 0 ||
	    endpoints_init(&backend->endpoints) < 0 || admission_init(&backend->admission) < 0)
		return -ENOMEM;
	if (deadlines_reserve(&backend->ground.deadlines, 1) < 0)
		return -ENOMEM;
	backend->timer = evtimer_new(loop_base(backend->ground.loop), on_timer, backend);
	if (!backend->timer)
		return -ENOMEM;
	backend->timer_usec = DEADLINE_NEVER;
	backend->ground.now_usec = clock_monotonic_usec();
	if (getrandom(&backend->ground.random, sizeof(backend->ground.random), GRND_NONBLOCK) < 0)
		backend->ground.random = (uint64_t)backend->ground.now_usec;
	return 0;
}

int backend_new(struct loop *loop, struct backend **ret_backend)
{
	struct backend *backend = calloc(1, sizeof(*backend));

	if (!backend)
		return -ENOMEM;
	backend->ground.loop = loop;
	backend->transports = transports;
	TAILQ_INIT(&backend->pools);
	TAILQ_INIT(&backend->unread);
	TAILQ_INIT(&backend->news);
	TAILQ_INIT(&backend->simulated_due);
	TAILQ_INIT(&backend->looks);
	exchanges_init(&backend->exchanges, &backend->ground, &backend->descriptors);
	bearers_init(&backend->bearers, &backend->ground, &backend->exchanges);
	TAILQ_INIT(&backend->batches);
	if (backend_init(backend) < 0) {
		backend_free(backend);
		return -ENOMEM;
	}
	loop_gather(loop);
	loop_on_turn(loop, on_turn, backend);
	*ret_backend = backend;
	return 0;
}

struct backend *backend_free(struct backend *backend)
{
	if (!backend)
		return NULL;
	loop_on_turn(backend->ground.loop, NULL, NULL);
	endpoints_done(backend); // and the pools with them
	bearers_done(&backend->bearers);
	exchanges_done(&backend->exchanges);
	admission_done(&backend->admission);
	descriptors_done(&backend->descriptors);
	deadlines_done(&backend->ground.deadlines);
	if (backend->timer)
		event_free(backend->timer);
	json_reader_done(&backend->ground.reader);
	free(backend);
	return NULL;
}

/* ---- Flows ---- */

int backend_flow_open(struct backend *backend, const struct backend_flow_options *options,
		      struct backend_flow **ret_flow)
{
	struct backend_flow *flow = calloc(1, sizeof(*flow));

	if (!flow)
		return -ENOMEM;
	flow->backend = backend;
	flow->options = *options;
	TAILQ_INIT(&flow->jobs);
	TAILQ_INIT(&flow->lanes);
	*ret_flow = flow;
	return 0;
}

static void on_close(struct message *message)
{
	struct backend_flow *flow = container_of(message, struct backend_flow, closing);

	admission_close(&flow->backend->admission, flow);
	free(flow);
}

struct backend_flow *backend_flow_close(struct backend_flow *flow)
{
	if (!flow)
		return NULL;
	flow->closing.deliver = on_close;
	loop_post(flow->backend->ground.loop, &flow->closing);
	return NULL;
}

static void on_submit(struct message *message)
{
	struct llm_call *call = (struct llm_call *)message; // its first member
	struct backend_flow *flow = call->flow;

	if (flow->backend->draining)
		call_refuse(flow, call, LLM_CANCELLED);
	else if (job_new(flow, call) < 0)
		call_refuse(flow, call, LLM_ITEM_FAILED);
}

void backend_submit(struct backend_flow *flow, struct llm_call *call)
{
	call->flow = flow;
	call->message.deliver = on_submit;
	loop_post(flow->backend->ground.loop, &call->message);
}

static void on_cancel(struct order *order)
{
	struct backend *backend = order->backend;
	struct job *job;

	/* What is complete is still an answer. */
	transfer_collect(backend);
	while ((job = TAILQ_FIRST(&order->flow->jobs)))
		job_cancel(job);
}

int backend_flow_cancel(struct backend_flow *flow)
{
	return order_post((struct order){ .backend = flow->backend, .flow = flow,
					  .carry_out = on_cancel });
}

static void flow_drain(struct backend_flow *flow)
{
	struct job *job, *next;

	for (job = TAILQ_FIRST(&flow->jobs); job; job = next) {
		next = TAILQ_NEXT(job, of_flow);
		job->drained = true;
		if (job->state != JOB_IN_FLIGHT)
			job_cancel(job);
	}
}

static void on_flow_drain(struct order *order)
{
	flow_drain(order->flow);
}

int backend_flow_drain(struct backend_flow *flow)
{
	return order_post((struct order){ .backend = flow->backend, .flow = flow,
					  .carry_out = on_flow_drain });
}

static void on_tune(struct order *order)
{
	admission_tune(&order->backend->admission, order->flow, order->priority, order->cap);
}

int backend_flow_tune(struct backend_flow *flow, int priority, int cap)
{
	return order_post((struct order){ .backend = flow->backend, .flow = flow,
					  .priority = priority, .cap = cap,
					  .carry_out = on_tune });
}

/* ---- All of it ---- */

static void on_lift(struct order *order)
{
	struct endpoint *endpoint;

	TAILQ_FOREACH(endpoint, &order->backend->endpoints.all, of_all) {
		if (endpoint->origin->pool->user == order->user)
			endpoint_resume(endpoint);
	}
}

int backend_lift_pauses(struct backend *backend, int64_t user)
{
	return order_post((struct order){ .backend = backend, .user = user,
					  .carry_out = on_lift });
}

static void on_limits(struct order *order)
{
	struct fair *slots = &order->backend->admission.slots;

	/* The turn's end issues what may go now. */
	slots->total = order->max_calls;
	slots->limit = order->max_calls_per_user;
}

int backend_set_limits(struct backend *backend, int64_t max_calls, int64_t max_calls_per_user)
{
	return order_post((struct order){ .backend = backend, .max_calls = max_calls,
					  .max_calls_per_user = max_calls_per_user,
					  .carry_out = on_limits });
}

static void on_drain(struct order *order)
{
	struct backend_flow *flow;

	order->backend->draining = true;
	TAILQ_FOREACH(flow, &order->backend->admission.flows, of_all)
		flow_drain(flow);
}

int backend_drain(struct backend *backend)
{
	return order_post((struct order){ .backend = backend, .carry_out = on_drain });
}

static const struct ellu_endpoint_status *status_of(const struct endpoint *endpoint,
						     struct arena *arena)
{
	struct ellu_endpoint_status *status = arena_alloc(arena, sizeof(*status));
	const struct gate *spent = gate_is_closed(&endpoint->spent) ? &endpoint->spent : NULL;
	const struct gate *gate = gate_later(endpoint_gate(endpoint, /* answered= */ true), spent);
	int64_t wait_usec = gate ? gate_left_usec(gate, clock_monotonic_usec()) : 0;

	if (!status)
		return NULL;
	*status = (struct ellu_endpoint_status){
		.struct_size = sizeof(*status),
		.origin = arena_strdup(arena, endpoint->origin->name),
		.llm_model_name = arena_strdup(arena, endpoint->target->model),
		.in_flight = endpoint->in_flight,
		.waiting = endpoint->waiting,
		.working_concurrency = aimd_limit(&endpoint->working),
		.calls = endpoint->calls,
		.retries = endpoint->retries,
		.waits = endpoint->waits,
		.errors = endpoint->errors,
		.breaker = breaker_name(&endpoint->breaker),
	};
	allowance_status(endpoint, status, arena);
	if (wait_usec > 0)
		status->wait_seconds = arena_float(arena, (double)wait_usec / USEC_PER_SEC);
	if (gate)
		status->waits_for = arena_strdup(arena, gate->why);
	return status->origin && status->llm_model_name ? status : NULL;
}

static void deliver_status(struct message *message)
{
	struct backend_status *status = (struct backend_status *)message; // its first member

	status->done(status);
}

static void status_return(struct backend_status *status)
{
	status->message.deliver = deliver_status;
	loop_post(status->reply_to, &status->message);
}

static void on_status(struct order *order)
{
	struct backend_status *status = order->status;
	struct endpoints *endpoints = &order->backend->endpoints;
	const struct ellu_endpoint_status **list;
	const struct endpoint *endpoint;

	list = arena_array(&status->arena, endpoints->table.n, sizeof(*list));
	status->endpoints = list;
	TAILQ_FOREACH(endpoint, &endpoints->all, of_all) {
		if (!list)
			break;
		if (!status->all && !endpoint_is_shared(endpoint) &&
		    endpoint->origin->pool->user != status->user)
			continue;
		list[status->n_endpoints] = status_of(endpoint, &status->arena);
		if (!list[status->n_endpoints])
			break;
		status->n_endpoints++;
	}
	status_return(status);
}

void backend_status_get(struct backend *backend, struct backend_status *status)
{
	status->endpoints = NULL;
	status->n_endpoints = 0;
	if (order_post((struct order){ .backend = backend, .status = status,
				      .carry_out = on_status }) < 0)
		status_return(status);
}
