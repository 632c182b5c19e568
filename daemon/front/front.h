/*
 * The Varlink front: a listening Unix socket and its connections. It decodes calls, says whose
 * they are, hands them to their methods and sends what they answer; it knows no rule of the
 * domain. All of it lives on one loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/front/front_options.h"
#include "proto/fault/fault.h"

struct front;
struct user_charge;

/* Listens. The daemon holds the lock on its state folder, so a socket that nobody answers on is
 * a dead one and is replaced; a live one is -EADDRINUSE. */
int front_new(const struct front_options *options, struct front **ret_front, struct fault *fault);
/* Closes every connection. */
void front_close(struct front *front);
/* The same, and removes the socket. */
struct front *front_free(struct front *front);

/* A connection of the caller's, served as if it had been accepted; `*ret_fd` is its other end, the
 * caller's own. `lent` are scopes that hold until front_take_back(); `unused`, which it takes, is
 * held until the connection is used. 0, or negative with the fault. */
int front_connect(struct front *front, const struct principal *principal, unsigned lent,
		  struct user_charge *unused, int *ret_fd, struct fault *fault);
/* Connections with scopes that were lent have them no longer: they end, after what is answered at
 * once. */
void front_take_back(struct front *front);

void front_set_times(struct front *front, int64_t output_stall_seconds, int64_t message_seconds);
/* Whether nobody came in the last moment. If somebody did, he is served, and the socket is there
 * as before. The front has no connection when this is called. */
bool front_leave(struct front *front);
void front_stop_listening(struct front *front);
