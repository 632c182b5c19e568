#include "daemon/backend/admission/admission.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/backend/admission/allowance.h"
#include "daemon/backend/connection/pool.h"
#include "daemon/backend/dialect/target.h"

int admission_init(struct admission *admission)
{
	TAILQ_INIT(&admission->ready);
	admission->slots.total = BACKEND_CALLS_MAX;
	admission->slots.limit = BACKEND_CALLS_PER_USER_MAX;
	admission->long_answers.total = BACKEND_LONG_ANSWERS_MAX;
	admission->long_answers.limit = BACKEND_LONG_ANSWERS_PER_USER_MAX;
	TAILQ_INIT(&admission->flows);
	return table_init(&admission->users);
}

void admission_done(struct admission *admission)
{
	table_done(&admission->users);
}

static struct backend_user *user_get(struct admission *admission, int64_t id)
{
	uint64_t hash = table_hash((uint64_t)id);
	struct table_node *node = table_first(&admission->users, hash);
	struct backend_user *user;

	while (node && ((struct backend_user *)node)->id != id)
		node = table_next(node);
	if (node)
		return (struct backend_user *)node; // its first member
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->id = id;
	table_add(&admission->users, &user->node, hash);
	return user;
}

static struct guest *guest_get(struct endpoint *endpoint, struct backend_user *user)
{
	struct guest *guest;

	TAILQ_FOREACH(guest, &endpoint->guests, of_endpoint) {
		if (guest->user == user)
			return guest;
	}
	guest = calloc(1, sizeof(*guest));
	if (!guest)
		return NULL;
	turns_user_init(&guest->turn);
	TAILQ_INIT(&guest->lanes);
	guest->endpoint = endpoint;
	guest->user = user;
	TAILQ_INSERT_TAIL(&endpoint->guests, guest, of_endpoint);
	return guest;
}

static void guest_release(struct guest *guest)
{
	if (!TAILQ_EMPTY(&guest->lanes))
		return;
	TAILQ_REMOVE(&guest->endpoint->guests, guest, of_endpoint);
	free(guest);
}

static struct lane *lane_get(struct backend_flow *flow, struct endpoint *endpoint)
{
	struct lane *lane;
	struct guest *guest;

	TAILQ_FOREACH(lane, &flow->lanes, of_flow) {
		if (lane->guest->endpoint == endpoint)
			return lane;
	}
	guest = guest_get(endpoint, flow->user);
	lane = guest ? calloc(1, sizeof(*lane)) : NULL;
	if (!lane) {
		if (guest)
			guest_release(guest);
		return NULL;
	}
	lane->turn.priority = (enum task_priority)flow->options.priority;
	lane->guest = guest;
	lane->flow = flow;
	TAILQ_INIT(&lane->jobs);
	TAILQ_INSERT_TAIL(&flow->lanes, lane, of_flow);
	TAILQ_INSERT_TAIL(&guest->lanes, lane, of_guest);
	return lane;
}

static void lane_free(struct lane *lane)
{
	TAILQ_REMOVE(&lane->flow->lanes, lane, of_flow);
	TAILQ_REMOVE(&lane->guest->lanes, lane, of_guest);
	guest_release(lane->guest);
	free(lane);
}

/* Its first call makes it one of its user's. */
static int flow_begin(struct admission *admission, struct backend_flow *flow)
{
	if (flow->user)
		return 0;
	flow->user = user_get(admission, flow->options.user);
	if (!flow->user)
		return -ENOMEM;
	flow->user->n_flows++;
	TAILQ_INSERT_TAIL(&admission->flows, flow, of_all);
	return 0;
}

void admission_close(struct admission *admission, struct backend_flow *flow)
{
	struct backend_user *user = flow->user;
	struct lane *lane;

	if (!user)
		return;
	while ((lane = TAILQ_FIRST(&flow->lanes)))
		lane_free(lane);
	TAILQ_REMOVE(&admission->flows, flow, of_all);
	if (--user->n_flows > 0)
		return;
	table_remove(&admission->users, &user->node);
	free(user);
}

void admission_forget(struct endpoint *endpoint)
{
	struct guest *guest;

	/* A guest goes with its last lane. */
	while ((guest = TAILQ_FIRST(&endpoint->guests)))
		lane_free(TAILQ_FIRST(&guest->lanes));
}

int admission_enter(struct admission *admission, struct backend_flow *flow, struct job *job)
{
	if (flow_begin(admission, flow) < 0)
		return -ENOMEM;
	job->lane = lane_get(flow, job->endpoint);
	if (!job->lane)
		return -ENOMEM;
	TAILQ_INSERT_TAIL(&flow->jobs, job, of_flow);
	return 0;
}

void admission_leave(struct job *job)
{
	TAILQ_REMOVE(&job->lane->flow->jobs, job, of_flow);
	job->lane = NULL;
}

static bool has_reached(int cap, int in_flight)
{
	return cap > 0 && in_flight >= cap;
}

/* A config's cap is that of each flow alone: who is content with few slows nobody else. */
static bool may_go(const struct lane *lane)
{
	const struct llm_target *target = TAILQ_FIRST(&lane->jobs)->call->target;

	return !endpoint_gate(lane->guest->endpoint, lane->answered) &&
	       allowance_allows(lane->guest->endpoint, target) &&
	       !has_reached(lane->flow->options.cap, lane->flow->in_flight) &&
	       !has_reached(target->max_connections, lane->in_flight);
}

/* Puts the lane where its calls, the caps and the gates want it. */
static void lane_update(struct admission *admission, struct lane *lane)
{
	struct endpoint *endpoint = lane->guest->endpoint;

	if (TAILQ_EMPTY(&lane->jobs))
		lane->state = LANE_EMPTY;
	else
		lane->state = may_go(lane) ? LANE_ACTIVE : LANE_PARKED;
	if (lane->state != LANE_ACTIVE) {
		turns_leave(&endpoint->turns, &lane->turn);
	} else if (!lane->turn.user) {
		turns_wait(&endpoint->turns, &lane->guest->turn, &lane->turn);
		admission_consider(admission, endpoint);
	}
}

void admission_gates(struct admission *admission, struct endpoint *endpoint)
{
	struct guest *guest;
	struct lane *lane;

	TAILQ_FOREACH(guest, &endpoint->guests, of_endpoint) {
		TAILQ_FOREACH(lane, &guest->lanes, of_guest)
			lane_update(admission, lane);
	}
}

void admission_queue(struct admission *admission, struct job *job, bool first)
{
	if (first)
		TAILQ_INSERT_HEAD(&job->lane->jobs, job, of_lane);
	else
		TAILQ_INSERT_TAIL(&job->lane->jobs, job, of_lane);
	lane_update(admission, job->lane);
}

void admission_unqueue(struct admission *admission, struct job *job)
{
	TAILQ_REMOVE(&job->lane->jobs, job, of_lane);
	lane_update(admission, job->lane);
}

void admission_ended(struct admission *admission, struct job *job)
{
	struct lane *lane;

	fair_give(&admission->slots, &job->lane->guest->user->in_flight);
	job->lane->flow->in_flight--;
	job->lane->in_flight--;
	TAILQ_FOREACH(lane, &job->lane->flow->lanes, of_flow) {
		if (lane->state == LANE_PARKED)
			lane_update(admission, lane);
	}
}

void admission_tune(struct admission *admission, struct backend_flow *flow, int priority, int cap)
{
	struct lane *lane;

	flow->options.priority = priority;
	flow->options.cap = cap;
	TAILQ_FOREACH(lane, &flow->lanes, of_flow) {
		if (lane->turn.priority != (enum task_priority)priority)
			turns_leave(&lane->guest->endpoint->turns, &lane->turn);
		lane->turn.priority = (enum task_priority)priority;
		lane_update(admission, lane);
	}
}

void admission_consider(struct admission *admission, struct endpoint *endpoint)
{
	if (endpoint->ready || TAILQ_EMPTY(&endpoint->turns.users))
		return;
	endpoint->ready = true;
	TAILQ_INSERT_TAIL(&admission->ready, endpoint, of_ready);
}

/* What is next at the endpoint, of the priorities allowed and of users who may have a slot. */
static struct turns_item *next_item(const struct admission *admission,
				    const struct endpoint *endpoint, unsigned allowed)
{
	const struct turns_user *turn;
	struct turns_item *item;

	TAILQ_FOREACH(turn, &endpoint->turns.users, of_turns) {
		const struct guest *guest = (const struct guest *)turn; // its first member

		if (!fair_allows(&admission->slots, guest->user->in_flight))
			continue;
		item = turns_next(turn, allowed);
		if (item)
			return item;
	}
	return NULL;
}

static bool has_room(const struct endpoint *endpoint)
{
	return endpoint->in_flight < aimd_limit(&endpoint->working) &&
	       endpoint->origin->state != ORIGIN_PROBING;
}

/* The lane at the endpoints that have room whose user was served longest ago. */
static struct lane *choose_lane(struct admission *admission, unsigned allowed, int64_t now_usec)
{
	struct lane *best = NULL;
	struct endpoint *endpoint, *next;

	for (endpoint = TAILQ_FIRST(&admission->ready); endpoint; endpoint = next) {
		struct lane *lane;

		next = TAILQ_NEXT(endpoint, of_ready);
		if (TAILQ_EMPTY(&endpoint->turns.users) || !has_room(endpoint)) {
			TAILQ_REMOVE(&admission->ready, endpoint, of_ready);
			endpoint->ready = false;
			continue;
		}
		if (!loop_share_allows(&admission->shares, &endpoint->origin->pool->share, now_usec))
			continue;
		lane = (struct lane *)next_item(admission, endpoint, allowed); // its first member
		if (lane && (!best || lane->guest->user->served < best->guest->user->served))
			best = lane;
	}
	return best;
}

struct job *admission_next(struct admission *admission, int64_t now_usec)
{
	bool last_slot = admission->slots.used == admission->slots.total - 1;
	unsigned allowed = last_slot ? TURNS_INTERACTIVE : TURNS_ALL;
	struct endpoint *endpoint;
	struct lane *lane;
	struct job *job;

	if (admission->slots.used >= admission->slots.total || TAILQ_EMPTY(&admission->ready))
		return NULL;
	lane = choose_lane(admission, allowed, now_usec);
	if (!lane)
		return NULL;
	job = TAILQ_FIRST(&lane->jobs);
	endpoint = lane->guest->endpoint;
	lane->guest->user->served = ++admission->served;
	loop_share_issued(&admission->shares, &endpoint->origin->pool->share, lane->guest->user->id, now_usec);
	turns_serve(&endpoint->turns, &lane->turn, allowed);
	TAILQ_REMOVE(&admission->ready, endpoint, of_ready);
	TAILQ_INSERT_TAIL(&admission->ready, endpoint, of_ready);

	TAILQ_REMOVE(&lane->jobs, job, of_lane);
	fair_take(&admission->slots, &lane->guest->user->in_flight);
	lane->flow->in_flight++;
	lane->in_flight++;
	/* All of the flow's lanes: it may have reached its own cap. */
	TAILQ_FOREACH(lane, &job->lane->flow->lanes, of_flow)
		lane_update(admission, lane);
	return job;
}
