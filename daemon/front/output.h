/*
 * What goes to a peer over a socket: replies, in order, that it has not taken yet. Small ones leave
 * at once, the others piece by piece in their user's turns, and he is charged for what waits.
 */
#pragma once

#include <event2/buffer.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/api/user.h"
#include "daemon/front/reply.h"

struct output {
	int fd; // the connection's
	struct user *user;
	struct evbuffer *waiting;
	struct event *writable;
	struct user_waiter turn;
	struct user_charge charge;
	bool stopped; // nothing is sent any more
	/* There is less of it. */
	void (*moved)(struct output *output);
	/* The peer is gone, or took nothing for too long. */
	void (*failed)(struct output *output);
	int64_t stall_seconds;
};

/* `user`, `moved` and `failed` are there. -ENOMEM. */
int output_init(struct output *output, struct event_base *base, int fd);
void output_done(struct output *output);

size_t output_size(const struct output *output);
/* Nothing that makes more of it is begun while it is not. */
bool output_is_low(const struct output *output);
/* Takes a reference of its own. Negative: the peer is gone, or there is no memory. */
int output_send(struct output *output, struct reply *reply);
/* Behind what waits, copied; it leaves with the next output_flush(). -ENOMEM. */
int output_add(struct output *output, const void *data, size_t size);
/* Sends what the peer takes of what waits, as far as its user's turn goes; `moved` or `failed` is told. */
void output_flush(struct output *output);
/* Waits for the peer to take something of what waits, for so long. Negative: that cannot be had. */
int output_watch(struct output *output, int64_t stall_seconds);
