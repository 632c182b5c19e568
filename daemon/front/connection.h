/*
 * One connection: bytes in, bytes out, one call at a time, in order; the next one is decoded while a
 * call is carried out. What a peer can make the
 * daemon keep is charged to its user: a message that grows is read on, a call begun, and a page
 * asked for only when there is room for it, and input is not read while enough of it waits, nor
 * while output waits (output.h). A peer that does not read is dropped after a while, and one that
 * does not end its message.
 *
 * Connections have their turns by users (daemon/api/user.h): a user whose part of a turn is used
 * up goes on in the next one, whoever's bytes are there.
 *
 * End of input means that the peer wants no more events: a call that follows a task ends. Calls
 * that are answered at once are still answered.
 */
#pragma once

#include <event2/event.h>

#include "daemon/api/principal.h"
#include "daemon/api/user.h"
#include "daemon/front/decoder.h"
#include "daemon/front/front.h"
#include "daemon/front/output.h"
#include "proto/limits.h"
#include "proto/wire/frame.h"

/* Bytes of a message that nobody is charged for, and of calls that wait for their turn. */
#define INPUT_FREE 8192
/* A larger message is one of the few large ones that a user has at a time. */
#define INPUT_MEDIUM (128u * 1024)

struct connection {
	struct front *front;
	struct principal principal;
	struct connection *next; // front::connections, the longest idle first; or front::dead
	struct connection **link;
	int fd;
	struct event *readable;
	struct event *late; // the message that has begun should have ended
	struct frame_buffer in;
	struct output output;
	struct connection_decoding *decoding; // of the next call; or NULL
	struct decoded *held; // the next call, which waits for the one before it, or for room for its
			      // reply; or NULL
	struct call *call; // under way; a reference
	struct user_waiter waiter;
	struct user_charge place;
	struct user_charge calls;
	struct user_charge input; // of the message that is being received or decoded
	struct user_charge expected; // of the reply that is being made
	struct user_charge unused; // of USER_UNUSED_SOCKETS, until something is read
	unsigned lent; // scopes of the principal that are not its own
	bool oneway; // of the call
	bool started; // its user is known to the store
	bool unread; // there may be bytes to read, and they have to wait
	bool advancing;
	bool input_ended;
	bool closing; // once the output is flushed
	bool dead; // front::reaper frees it
};

/* Takes the descriptor when it succeeds. */
int connection_new(struct front *front, const struct principal *principal, int fd,
		   struct connection **ret_connection);
struct connection *connection_free(struct connection *connection);

/* It is freed soon; nothing is sent any more. */
void connection_kill(struct connection *connection);
/* Ends it as the peer's end of input does. Nothing that begins from now on has what was lent. */
void connection_take_back(struct connection *connection);
/* Takes a reference of its own. */
void connection_send(struct connection *connection, struct reply *reply);
/* Takes the text. */
void connection_send_text(struct connection *connection, char *text, size_t size);
/* The call under way has been answered. */
void connection_call_ended(struct connection *connection);
/* Whether there is room for one more reply of the call; if not, call_writable() says when. */
bool connection_has_room(struct connection *connection);

/* ---- The front's side ---- */

struct loop *front_loop(const struct front *front);
const struct front_options *front_get_options(const struct front *front);
/* The place beside an interface's description. */
struct share *front_description(struct front *front, const struct interface_info *interface);
void front_reap_soon(struct connection *connection);
/* The connection was used: it is the last to make room for another. */
void front_touch(struct connection *connection);

/* ---- varlink.c: what a message means ---- */

/* Serves what was decoded. */
void varlink_serve(struct connection *connection, struct decoded *decoded);
void varlink_fail(struct connection *connection, const struct fault *fault);
