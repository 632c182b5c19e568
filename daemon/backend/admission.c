#include "daemon/backend/admission.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/backend/core.h"

int admission_init(struct admission *admission)
{
	TAILQ_INIT(&admission->ready);
	admission->slots.total = BACKEND_CALLS_MAX;
	admission->slots.limit = BACKEND_CALLS_PER_USER_MAX;
	admission->long_answers.total = BACKEND_LONG_ANSWERS_MAX;
	admission->long_answers.limit = BACKEND_LONG_ANSWERS_PER_USER_MAX;
	if (table_init(&admission->users) < 0 || table_init(&admission->flows) < 0)
		return -ENOMEM;
	return 0;
}

void admission_done(struct admission *admission)
{
	table_done(&admission->users);
	table_done(&admission->flows);
}

struct flow *admission_flow(struct admission *admission, int64_t id)
{
	struct table_node *node = table_first(&admission->flows, table_hash((uint64_t)id));

	while (node && ((struct flow *)node)->id != id)
		node = table_next(node);
	return (struct flow *)node; // its first member
}

static struct flow *flow_get(struct admission *admission, int64_t id)
{
	struct flow *flow = admission_flow(admission, id);

	if (flow)
		return flow;
	flow = calloc(1, sizeof(*flow));
	if (!flow)
		return NULL;
	flow->id = id;
	TAILQ_INIT(&flow->jobs);
	TAILQ_INIT(&flow->lanes);
	table_add(&admission->flows, &flow->node, table_hash((uint64_t)id));
	return flow;
}

static struct user *user_get(struct admission *admission, int64_t id)
{
	uint64_t hash = table_hash((uint64_t)id);
	struct table_node *node = table_first(&admission->users, hash);
	struct user *user;

	while (node && ((struct user *)node)->id != id)
		node = table_next(node);
	if (node)
		return (struct user *)node; // its first member
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->id = id;
	table_add(&admission->users, &user->node, hash);
	return user;
}

static void user_release(struct admission *admission, struct user *user)
{
	if (user->n_guests > 0)
		return;
	table_remove(&admission->users, &user->node);
	free(user);
}

static struct guest *guest_get(struct admission *admission, struct endpoint *endpoint, int64_t id)
{
	struct guest *guest;
	struct user *user;

	TAILQ_FOREACH(guest, &endpoint->guests, of_endpoint) {
		if (guest->user->id == id)
			return guest;
	}
	user = user_get(admission, id);
	if (!user)
		return NULL;
	guest = calloc(1, sizeof(*guest));
	if (!guest) {
		user_release(admission, user);
		return NULL;
	}
	turns_user_init(&guest->turn);
	TAILQ_INIT(&guest->lanes);
	guest->endpoint = endpoint;
	guest->user = user;
	user->n_guests++;
	TAILQ_INSERT_TAIL(&endpoint->guests, guest, of_endpoint);
	return guest;
}

static void guest_release(struct admission *admission, struct guest *guest)
{
	if (!TAILQ_EMPTY(&guest->lanes))
		return;
	TAILQ_REMOVE(&guest->endpoint->guests, guest, of_endpoint);
	guest->user->n_guests--;
	user_release(admission, guest->user);
	free(guest);
}

static struct lane *lane_get(struct admission *admission, struct flow *flow, struct job *job)
{
	enum task_priority priority = (enum task_priority)job->call->priority;
	struct lane *lane;
	struct guest *guest;

	TAILQ_FOREACH(lane, &flow->lanes, of_flow) {
		if (lane->turn.priority == priority && lane->guest->endpoint == job->endpoint &&
		    lane->guest->user->id == job->call->user)
			return lane;
	}
	guest = guest_get(admission, job->endpoint, job->call->user);
	lane = guest ? calloc(1, sizeof(*lane)) : NULL;
	if (!lane) {
		if (guest)
			guest_release(admission, guest);
		return NULL;
	}
	lane->turn.priority = priority;
	lane->guest = guest;
	lane->flow = flow;
	TAILQ_INIT(&lane->jobs);
	TAILQ_INSERT_TAIL(&flow->lanes, lane, of_flow);
	TAILQ_INSERT_TAIL(&guest->lanes, lane, of_guest);
	return lane;
}

/* A flow goes with its last call, and its lanes with it. */
static void flow_release(struct admission *admission, struct flow *flow)
{
	struct lane *lane;

	if (!TAILQ_EMPTY(&flow->jobs))
		return;
	while ((lane = TAILQ_FIRST(&flow->lanes))) {
		TAILQ_REMOVE(&flow->lanes, lane, of_flow);
		TAILQ_REMOVE(&lane->guest->lanes, lane, of_guest);
		guest_release(admission, lane->guest);
		free(lane);
	}
	table_remove(&admission->flows, &flow->node);
	free(flow);
}

int admission_enter(struct admission *admission, struct job *job)
{
	struct flow *flow = flow_get(admission, job->call->flow);

	if (!flow)
		return -ENOMEM;
	job->lane = lane_get(admission, flow, job);
	if (!job->lane) {
		flow_release(admission, flow);
		return -ENOMEM;
	}
	job->lane->connected |= job->call->answered_before;
	job->lane->answered |= job->call->answered_before;
	TAILQ_INSERT_TAIL(&flow->jobs, job, of_flow);
	return 0;
}

void admission_leave(struct admission *admission, struct job *job)
{
	struct flow *flow = job->lane->flow;

	TAILQ_REMOVE(&flow->jobs, job, of_flow);
	job->lane = NULL;
	flow_release(admission, flow);
}

static bool may_go(const struct lane *lane)
{
	int cap = TAILQ_FIRST(&lane->jobs)->call->flow_connections;

	if (lane->answered && breaker_blocks(&lane->guest->endpoint->breaker))
		return false;
	return cap == 0 || lane->flow->in_flight < cap;
}

/* Puts the lane where its calls, its flow's cap and the breaker want it. */
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

void admission_breaker(struct admission *admission, struct endpoint *endpoint)
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
	TAILQ_FOREACH(lane, &job->lane->flow->lanes, of_flow) {
		if (lane->state == LANE_PARKED)
			lane_update(admission, lane);
	}
}

/* Without memory for a lane it keeps its priority. */
static void job_set_priority(struct admission *admission, struct job *job, int priority)
{
	struct lane *old = job->lane, *lane;
	int before = job->call->priority;

	job->call->priority = priority;
	lane = lane_get(admission, old->flow, job);
	if (!lane) {
		job->call->priority = before;
		return;
	}
	if (job->state == JOB_WAITING) {
		admission_unqueue(admission, job);
		job->lane = lane;
		admission_queue(admission, job, /* first= */ false);
	} else {
		job->lane = lane; // where it waits when it is tried again
	}
}

void admission_tune(struct admission *admission, struct flow *flow, int priority, int cap)
{
	struct lane *lane;
	struct job *job;

	TAILQ_FOREACH(job, &flow->jobs, of_flow) {
		job->call->flow_connections = cap;
		if (job->call->priority != priority)
			job_set_priority(admission, job, priority);
	}
	TAILQ_FOREACH(lane, &flow->lanes, of_flow)
		lane_update(admission, lane);
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

/* The lane at the endpoints that have room whose user was served longest ago. */
static struct lane *choose_lane(struct admission *admission, unsigned allowed)
{
	struct lane *best = NULL;
	struct endpoint *endpoint, *next;

	for (endpoint = TAILQ_FIRST(&admission->ready); endpoint; endpoint = next) {
		struct lane *lane;

		next = TAILQ_NEXT(endpoint, of_ready);
		if (TAILQ_EMPTY(&endpoint->turns.users) || !endpoint_has_room(endpoint)) {
			TAILQ_REMOVE(&admission->ready, endpoint, of_ready);
			endpoint->ready = false;
			continue;
		}
		lane = (struct lane *)next_item(admission, endpoint, allowed); // its first member
		if (lane && (!best || lane->guest->user->served < best->guest->user->served))
			best = lane;
	}
	return best;
}

struct job *admission_next(struct admission *admission)
{
	bool last_slot = admission->slots.used == admission->slots.total - 1;
	unsigned allowed = last_slot ? TURNS_INTERACTIVE : TURNS_ALL;
	struct endpoint *endpoint;
	struct lane *lane;
	struct job *job;

	if (admission->slots.used >= admission->slots.total || TAILQ_EMPTY(&admission->ready))
		return NULL;
	lane = choose_lane(admission, allowed);
	if (!lane)
		return NULL;
	job = TAILQ_FIRST(&lane->jobs);
	endpoint = lane->guest->endpoint;
	lane->guest->user->served = ++admission->served;
	turns_serve(&endpoint->turns, &lane->turn, allowed);
	TAILQ_REMOVE(&admission->ready, endpoint, of_ready);
	TAILQ_INSERT_TAIL(&admission->ready, endpoint, of_ready);

	TAILQ_REMOVE(&lane->jobs, job, of_lane);
	fair_take(&admission->slots, &lane->guest->user->in_flight);
	lane->flow->in_flight++;
	/* All of the flow's lanes: it may have reached its own cap. */
	TAILQ_FOREACH(lane, &job->lane->flow->lanes, of_flow)
		lane_update(admission, lane);
	return job;
}
