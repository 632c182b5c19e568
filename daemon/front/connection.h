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
#include "daemon/front/acceptor.h"
#include "daemon/front/connections.h"
#include "daemon/front/decoder.h"
#include "daemon/front/front_options.h"
#include "daemon/front/output.h"
#include "proto/limits.h"
#include "proto/wire/frame.h"

/* Bytes of a message that nobody is charged for, and of calls that wait for their turn. */
#define INPUT_FREE 8192
/* A larger message is one of the few large ones that a user has at a time. */
#define INPUT_MEDIUM (128u * 1024)

struct front {
	struct front_options options;
	struct loop *behind; // decodes and frees what is large
	struct connections connections;
	int64_t n_connections;
	struct acceptor acceptor;
	int64_t log_again_usec; // monotonic
	struct share *descriptions; // one beside each of interfaces[]
};

struct connection {
	struct connections_link link;
	struct front *front;
	struct principal principal;
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
	bool dead; // the front frees it
};

/* Takes the descriptor when it succeeds. */
int connection_new(struct front *front, const struct principal *principal, int fd,
		   struct connection **ret_connection);
struct connection *connection_free(struct connection *connection);

/* Ends it as the peer's end of input does. Nothing that begins from now on has what was lent. */
void connection_take_back(struct connection *connection);

/* ---- connection_socket.c: what goes in and out ---- */

/* It is freed soon; nothing is sent any more. */
void connection_kill(struct connection *connection);
/* Reads, and waits for the peer to read, as far as that is wanted by now. */
void connection_watch(struct connection *connection);
/* Whether the next call is read while one is under way. */
bool connection_looks_ahead(const struct connection *connection);
/* Takes a reference of its own. */
void connection_send(struct connection *connection, struct reply *reply);
/* Takes the text. */
void connection_send_text(struct connection *connection, char *text, size_t size);
/* Takes room for a reply before it is asked for, so that what nobody reads is not made; without any the
 * connection's waiter is woken when there may be some. */
bool connection_expect_reply(struct connection *connection, const struct method *method,
			     enum reply_stage stage);
/* Whether there is room for one more reply of the call; if not, call_writable() says when. */
bool connection_has_room(struct connection *connection);

/* ---- varlink.c: what a message means ---- */

/* Answers what was decoded. False: it is a call of a method of the table. */
bool varlink_serve(struct connection *connection, struct decoded *decoded);
void varlink_fail(struct connection *connection, const struct fault *fault);
/* Makes the message of an answer, whose text it may take; `behind` frees that. -EMSGSIZE, -ENOMEM. */
int varlink_make_reply(struct answer *answer, bool continues, struct loop *behind,
		       struct reply **ret_reply);
