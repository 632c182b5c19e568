/* When a connection is read, what is sent over it and how long a peer may take, and its end. */

#pragma once

#include <stddef.h>

struct http_connection;
struct reply;

/* It is freed soon; nothing is sent any more. */
void http_connection_kill(struct http_connection *connection);
/* Reads, and waits for the peer to read, as far as that is wanted by now. */
void http_connection_watch(struct http_connection *connection);
/* What the peer is at begins: so does the time that it may take. */
void http_connection_watch_anew(struct http_connection *connection);
/* Takes a reference of its own. */
void http_connection_send(struct http_connection *connection, struct reply *reply);
/* A piece of a stream, copied: it leaves at the end of the loop's turn, with what else that brings. */
void http_connection_tell(struct http_connection *connection, const void *data, size_t size);
/* It does not wait for the end of the turn any more. */
void http_flush_forget(struct http_connection *connection);
