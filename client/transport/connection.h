/*
 * One connection to the daemon, as bytes: a message goes out, messages come in. Nothing here
 * blocks but connection_open() when it may, and the two functions that wait.
 *
 * Over a message bus it has no socket at first: the daemon is asked for one (bus_socket.h), and until
 * connection_take_socket() nothing is sent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/transport/address.h"
#include "proto/wire/frame.h"

struct bus_socket;

struct connection {
	struct bus_socket *bus; // until the socket is there; NULL: `fd` is the socket
	int fd; // to poll, for connection_events()
	struct frame_buffer in;
	char *out; // what has not been sent, or NULL
	size_t out_size;
	size_t out_sent;
	bool ended; // the daemon closed its side
	bool cut; // before the message was sent as a whole
	int reason; // why it ended, where that is known better than by those two; else 0
	bool reused; // it has carried a call before
	struct connection *next; // ellu::idle
};

/* How long it waits for room in the daemon's (or the bus's) queue of connections, in microseconds. 0: not
 * at all; then -EAGAIN. Else -ETIMEDOUT. */
#define CONNECTION_NO_LIMIT UINT64_MAX
#define CONNECTION_RETRY_USEC 10000 // before the next try when the queue is full
int connection_open(const struct address *address, uint64_t patience_usec, struct connection **ret);
struct connection *connection_close(struct connection *connection); // accepts NULL, returns NULL

/* May another call follow on it? */
bool connection_is_reusable(const struct connection *connection);
/* False when the daemon has closed an idle connection, or sent something unasked. */
bool connection_is_fresh(const struct connection *connection);

/* Over a bus. 1: the socket is there, and can be taken; 0: not yet. -ECONNRESET: there will be none;
 * connection::reason says why, and with a fault what the daemon said. */
int connection_ask(struct connection *connection, int *ret_socket);
const struct fault *connection_fault(const struct connection *connection);
/* Nobody watches `fd` any more. */
void connection_take_socket(struct connection *connection, int socket);

/* Takes the message, behind what has not been sent yet. Sends what can be sent at once. */
int connection_send(struct connection *connection, char *message, size_t size);

/* Of a connection that is `cut`: the message that was not sent; free() it. NULL when it is gone. */
char *connection_take_back(struct connection *connection);

/* Goes on sending. That the daemon is gone shows in connection_fill(). */
int connection_flush(struct connection *connection);

/* Reads once. 1: something came. 0: nothing now. -ECONNRESET: the daemon is gone. */
int connection_fill(struct connection *connection);

/* 1 with a message that lives until the next connection_fill(), 0 when there is none yet. */
int connection_next(struct connection *connection, char **ret_message, size_t *ret_size);

/* Gives back the memory that an idle connection does not need. */
void connection_rest(struct connection *connection);

/* What to poll for. */
short connection_events(const struct connection *connection);

/* Waits for such until then (UINT64_MAX: for ever). 1: ready, 0: the time passed. -EINTR. */
int poll_until(int fd, short events, uint64_t deadline_usec);
