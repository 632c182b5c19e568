/* SPDX-License-Identifier: MIT */
#include "daemon/backend/admission.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/backend/core.h"

static const int weights[PRIORITIES] = { 16, 4, 1 };

int admission_init(struct admission *admission)
{
	TAILQ_INIT(&admission->turns);
	TAILQ_INIT(&admission->ready);
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
	if (user->n_turns > 0)
		return;
	table_remove(&admission->users, &user->node);
	free(user);
}

static struct turn *turn_get(struct admission *admission, struct endpoint *endpoint, int64_t id)
{
	struct user *user = user_get(admission, id);
	struct turn *turn;

	if (!user)
		return NULL;
	TAILQ_FOREACH(turn, &admission->turns, of_all) {
		if (turn->endpoint == endpoint && turn->user == user)
			return turn;
	}
	turn = calloc(1, sizeof(*turn));
	if (!turn) {
		user_release(admission, user);
		return NULL;
	}
	turn->endpoint = endpoint;
	turn->user = user;
	for (int i = 0; i < PRIORITIES; i++) {
		TAILQ_INIT(&turn->active[i]);
		turn->credit[i] = weights[i];
	}
	TAILQ_INSERT_TAIL(&admission->turns, turn, of_all);
	user->n_turns++;
	endpoint->n_turns++;
	return turn;
}

static void turn_release(struct admission *admission, struct turn *turn)
{
	if (turn->n_lanes > 0)
		return;
	TAILQ_REMOVE(&admission->turns, turn, of_all);
	turn->endpoint->n_turns--;
	turn->user->n_turns--;
	user_release(admission, turn->user);
	free(turn);
}

static struct lane *lane_get(struct admission *admission, struct flow *flow, struct job *job)
{
	int priority = job->call->priority;
	struct lane *lane;
	struct turn *turn;

	TAILQ_FOREACH(lane, &flow->lanes, of_flow) {
		if (lane->priority == priority && lane->turn->endpoint == job->endpoint &&
		    lane->turn->user->id == job->call->user)
			return lane;
	}
	turn = turn_get(admission, job->endpoint, job->call->user);
	lane = turn ? calloc(1, sizeof(*lane)) : NULL;
	if (!lane) {
		if (turn)
			turn_release(admission, turn);
		return NULL;
	}
	lane->turn = turn;
	lane->flow = flow;
	lane->priority = priority;
	TAILQ_INIT(&lane->jobs);
	TAILQ_INSERT_TAIL(&flow->lanes, lane, of_flow);
	turn->n_lanes++;
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
		lane->turn->n_lanes--;
		turn_release(admission, lane->turn);
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

static void lane_deactivate(struct lane *lane, enum lane_state state)
{
	struct turn *turn = lane->turn;

	if (lane->state == LANE_ACTIVE) {
		TAILQ_REMOVE(&turn->active[lane->priority], lane, of_turn);
		if (--turn->n_active == 0)
			TAILQ_REMOVE(&turn->endpoint->turns, turn, of_endpoint);
	}
	lane->state = state;
}

static bool flow_allows(const struct lane *lane)
{
	int cap = TAILQ_FIRST(&lane->jobs)->call->flow_connections;

	return cap == 0 || lane->flow->in_flight < cap;
}

/* Puts the lane where its calls and its flow's cap want it. */
static void lane_update(struct admission *admission, struct lane *lane)
{
	struct turn *turn = lane->turn;

	if (TAILQ_EMPTY(&lane->jobs)) {
		lane_deactivate(lane, LANE_EMPTY);
		return;
	}
	if (!flow_allows(lane)) {
		lane_deactivate(lane, LANE_PARKED);
		return;
	}
	if (lane->state == LANE_ACTIVE)
		return;
	lane->state = LANE_ACTIVE;
	TAILQ_INSERT_TAIL(&turn->active[lane->priority], lane, of_turn);
	if (turn->n_active++ == 0)
		TAILQ_INSERT_TAIL(&turn->endpoint->turns, turn, of_endpoint);
	admission_consider(admission, turn->endpoint);
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

	admission->in_flight--;
	job->lane->flow->in_flight--;
	TAILQ_FOREACH(lane, &job->lane->flow->lanes, of_flow) {
		if (lane->state == LANE_PARKED)
			lane_update(admission, lane);
	}
}

void admission_consider(struct admission *admission, struct endpoint *endpoint)
{
	if (endpoint->ready || TAILQ_EMPTY(&endpoint->turns))
		return;
	endpoint->ready = true;
	TAILQ_INSERT_TAIL(&admission->ready, endpoint, of_ready);
}

/* The first user in turn at the endpoint; among interactive calls only, if so asked. */
static struct turn *next_turn(struct endpoint *endpoint, bool interactive)
{
	struct turn *turn = TAILQ_FIRST(&endpoint->turns);

	while (turn && interactive && TAILQ_EMPTY(&turn->active[0]))
		turn = TAILQ_NEXT(turn, of_endpoint);
	return turn;
}

/* The turn at the endpoints that have room whose user was served longest ago. */
static struct turn *choose_turn(struct admission *admission, bool interactive)
{
	struct turn *best = NULL;
	struct endpoint *endpoint, *next;

	for (endpoint = TAILQ_FIRST(&admission->ready); endpoint; endpoint = next) {
		struct turn *turn;

		next = TAILQ_NEXT(endpoint, of_ready);
		if (TAILQ_EMPTY(&endpoint->turns) || !endpoint_has_room(endpoint)) {
			TAILQ_REMOVE(&admission->ready, endpoint, of_ready);
			endpoint->ready = false;
			continue;
		}
		turn = next_turn(endpoint, interactive);
		if (turn && (!best || turn->user->served < best->user->served))
			best = turn;
	}
	return best;
}

static struct lane *choose_lane(struct turn *turn, bool interactive)
{
	if (interactive)
		return TAILQ_FIRST(&turn->active[0]);
	for (;;) {
		for (int i = 0; i < PRIORITIES; i++) {
			if (turn->credit[i] > 0 && !TAILQ_EMPTY(&turn->active[i])) {
				turn->credit[i]--;
				return TAILQ_FIRST(&turn->active[i]);
			}
		}
		for (int i = 0; i < PRIORITIES; i++)
			turn->credit[i] = weights[i];
	}
}

struct job *admission_next(struct admission *admission)
{
	bool interactive = admission->in_flight == BACKEND_CONNECTIONS_MAX - 1;
	struct turn *turn;
	struct lane *lane;
	struct job *job;

	if (admission->in_flight >= BACKEND_CONNECTIONS_MAX || TAILQ_EMPTY(&admission->ready))
		return NULL;
	turn = choose_turn(admission, interactive);
	if (!turn)
		return NULL;
	lane = choose_lane(turn, interactive);
	job = TAILQ_FIRST(&lane->jobs);
	turn->user->served = ++admission->served;

	/* To the end of their rings, both. */
	TAILQ_REMOVE(&turn->endpoint->turns, turn, of_endpoint);
	TAILQ_INSERT_TAIL(&turn->endpoint->turns, turn, of_endpoint);
	TAILQ_REMOVE(&turn->active[lane->priority], lane, of_turn);
	TAILQ_INSERT_TAIL(&turn->active[lane->priority], lane, of_turn);
	TAILQ_REMOVE(&admission->ready, turn->endpoint, of_ready);
	TAILQ_INSERT_TAIL(&admission->ready, turn->endpoint, of_ready);

	TAILQ_REMOVE(&lane->jobs, job, of_lane);
	admission->in_flight++;
	lane->flow->in_flight++;
	/* All of the flow's lanes: it may have reached its own cap. */
	TAILQ_FOREACH(lane, &job->lane->flow->lanes, of_flow)
		lane_update(admission, lane);
	return job;
}
