/*
 * When an endpoint fails, or wants a long pause: its breaker, and which flows are told that none
 * of their calls can go.
 *
 * The breaker counts, and holds up, only calls of flows that the endpoint has answered before:
 * what a task has never reached is not waited for, its calls use up their attempts. A failure
 * that opens the breaker, or finds it open, is a wait and no attempt. Only a probe that got
 * through and failed all the same is one: else an item that breaks every answer to it would be
 * asked for ever.
 *
 * A flow is held when it has calls and each of them waits for such an endpoint, or is its probe.
 * Whoever changes what this depends on says so with outage_look(); it is decided once, at the end
 * of the turn.
 */
#pragma once

#include <stdbool.h>

struct attempt;
struct backend;
struct endpoint;
struct gate;
struct backend_flow;
struct job;

#define OUTAGE_WAIT_USEC INT64_C(2000000) // a pause longer than that holds flows

/* The job was issued. */
void outage_issued(struct job *job);
/* It left flight, however. */
void outage_left(struct job *job);
/* Its attempt failed. True when it is to wait without having used one up. */
bool outage_failed(struct job *job, const struct attempt *attempt);
/* Says in the task's log why the job's calls wait. */
void outage_notice(struct job *job, const struct gate *gate);
/* The endpoint gave an answer of any kind. */
void outage_answered(struct job *job);

/* The endpoint's long pause begins or ends. */
void outage_pause(struct endpoint *endpoint, bool begins);

/* Whether the flow is held may have changed. */
void outage_look(struct backend *backend, struct backend_flow *flow);
/* The job's flow loses it, perhaps its last. */
void outage_leave(struct job *job);
/* The end of a turn. */
void outage_tell(struct backend *backend);
