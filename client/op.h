/* SPDX-License-Identifier: MIT */
/*
 * Operations: the asynchronous calls of an event handle. Short ones take turns on a few
 * connections; a long one has its own. Callbacks run from ellu_process() alone, one operation a
 * turn; whatever a callback frees or closes is pinned for as long as it is still needed.
 */
#pragma once

#include "client/exchange.h"

/* Takes the letter in any case. */
int op_start(struct ellu *handle, struct letter *letter, bool is_long, ellu_reply_fn *callback,
	     void *userdata, struct ellu_op **ret_op);

/* The handle closes: no operation has one any more. */
void ops_abandon(struct ellu *handle);

/* As ellu_timeout(). */
uint64_t ops_timeout(const struct ellu *handle);
