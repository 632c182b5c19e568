/*
 * One connection: bytes in, bytes out, one call at a time, in order. Input is not read while
 * enough of it waits, and no further call begins while output waits, so what a peer can make
 * the daemon keep is bounded. A peer that does not read is dropped after a while.
 *
 * End of input means that the peer wants no more events: a call that follows a task ends. Calls
 * that are answered at once are still answered.
 */
#pragma once

#include <event2/buffer.h>
#include <event2/event.h>

#include "daemon/api/reply.h"
#include "daemon/front/front.h"
#include "proto/frame.h"

#define INPUT_WAITING_MAX 65536 // bytes of calls that wait for their turn
#define OUTPUT_LOW 262144 // bytes; above it no event, page or call is begun

struct front_user;

struct connection {
	struct front *front;
	struct front_user *user;
	struct identity identity;
	struct connection *next; // front::connections, the longest idle first
	struct connection **link;
	int fd;
	struct event *readable;
	struct event *writable;
	struct frame_buffer in;
	struct evbuffer *out;
	struct call *call; // under way; a reference
	bool oneway; // of the call
	bool started; // its user is known to the store
	bool advancing;
	bool input_ended;
	bool closing; // once the output is flushed
	bool dead; // front::reaper frees it
};

int connection_new(struct front *front, struct front_user *user, int fd,
		   struct connection **ret_connection);
struct connection *connection_free(struct connection *connection);

/* The user is known: reading begins. */
void connection_start(struct connection *connection);
/* It is freed soon; nothing is sent any more. */
void connection_kill(struct connection *connection);
/* Takes a reference of its own. */
void connection_send(struct connection *connection, struct reply *reply);
/* Takes the text. */
void connection_send_text(struct connection *connection, char *text, size_t size);
/* The call under way has been answered. */
void connection_call_ended(struct connection *connection);
bool connection_has_room(const struct connection *connection);

/* ---- The front's side ---- */

struct loop *front_loop(const struct front *front);
const struct front_options *front_get_options(const struct front *front);
void front_reap_soon(struct front *front);
/* The connection was used: it is the last to make room for another. */
void front_touch(struct connection *connection);

/* ---- varlink.c: what a message means ---- */

void varlink_dispatch(struct connection *connection, const char *text, size_t size);
