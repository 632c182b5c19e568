/*
 * One call for a completion, from the request to the last byte of its answer: refusals, the
 * limits, the latency, the fault, the sending.
 *
 * The answer is made before the latency passes, so that only sending is left when it has. A call
 * in the queue of `waiting` is not in flight. Each call ends in exactly one place, call_end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/chat.h"

struct http_conn;
struct http_request;
struct simulator;

void chat_call_start(struct simulator *simulator, struct http_conn *conn,
		     const struct http_request *request, const struct chat_wanted *wanted,
		     int64_t received_usec);
/* By the header that holds the key there. */
bool chat_call_authorised(const struct simulator *simulator, const struct chat_dialect *dialect,
			  const struct http_request *request, struct bytes *error);

void chat_calls_init(struct simulator *simulator);
/* To be called after a change of the concurrency limit: lets waiting calls in. */
void chat_calls_admit(struct simulator *simulator);
/* Frees what is left once the connections are gone. */
void chat_calls_done(struct simulator *simulator);
