/*
 * When an endpoint fails.
 *
 * The breaker counts, and holds up, only calls of flows that the endpoint has answered before:
 * what a task has never reached is not waited for, its calls use up their attempts. A failure
 * that opens the breaker, or finds it open, is a wait and no attempt. Only a probe that got
 * through and failed all the same is one: else an item that breaks every answer to it would be
 * asked for ever.
 */
#pragma once

#include <stdbool.h>

struct attempt;
struct gate;
struct job;

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
