/*
 * What may be taken of an endpoint's requests and tokens.
 *
 * By what it says is left, by what is learnt of its rate, and by what configs allow of it: the last
 * holds only for calls with such a config.
 */
#pragma once

#include <stdbool.h>

#include "daemon/backend/dialect/attempt.h"
#include "daemon/backend/traffic.h"

/* A call of the target comes. */
void allowance_enter(struct endpoint *endpoint, const struct llm_target *target);
/* Whether its config lets a call go now; or else when one may is looked at again. */
bool allowance_allows(struct endpoint *endpoint, const struct llm_target *target);
/* The job was issued. True: others like it have to wait now. */
bool allowance_take(struct job *job);
/* Its attempt is over; what it took is known as far as it will be. True: it was less than was
 * thought, so others may not have to wait for what is spent. */
bool allowance_settle(struct job *job, const struct attempt *attempt);
/* The answer to it told what is left. True: nothing is, for now. */
bool allowance_told(struct job *job, const struct told news[static _TOLD_MAX]);
/* A batch with the target, whose config has limits, brought something, which counts of the day's. */
void allowance_charge(struct endpoint *endpoint, const struct llm_target *target, int64_t tokens);
/* Its part of what GetStatus says. */
void allowance_status(const struct endpoint *endpoint, struct ellu_endpoint_status *status,
		      struct arena *arena);
