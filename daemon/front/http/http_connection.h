/*
 * One connection of the HTTP front: bytes in, bytes out, one exchange at a time, in order. Before its
 * head is there a request costs its peer's connection and no more than HTTP_HEAD_MAX bytes; before it is
 * known whose it is, no body is read. From then on all is the user's: the place, the input, the output.
 * A request that has begun must end in time, and so must the next one begin.
 *
 * Callers have their turns by users (daemon/api/user.h); who is not known yet is one of USER_UNKNOWN.
 */
#pragma once

#include <event2/event.h>

#include "daemon/front/acceptor.h"
#include "daemon/front/connections.h"
#include "daemon/front/http/http.h"
#include "daemon/front/http/http_exchange.h"
#include "daemon/front/output.h"

/* Read ahead of the answer before, in bytes. */
#define HTTP_AHEAD 8192
#define HTTP_HOSTS_MAX 1024
#define HTTP_URL_SIZE 512

enum http_state {
	HTTP_WAITS, // for the rest of a head
	HTTP_READS, // a body
	HTTP_DECODES,
	HTTP_ANSWERS,
	HTTP_DRAINS, // the answer is sent; what the peer had begun to send is read and dropped
};

struct http {
	struct http_options options;
	struct connections connections;
	int64_t n_connections;
	int64_t n_streams;
	struct acceptor acceptor;
	struct event *heart; // beats while there are streams
	struct http_connection *told; // in this turn
	struct event *flusher;
	int64_t log_again_usec; // monotonic
	char hosts[HTTP_HOSTS_MAX]; // names that Host may have, with blanks around each
	char url[HTTP_URL_SIZE];
};

struct http_connection {
	struct connections_link link;
	struct http *http;
	int fd;
	enum http_state state;
	struct event *readable;
	struct event *late;
	struct output output;
	struct user *user; // who pays
	struct user_waiter waiter;
	struct user_charge place;
	struct http_connection *next_told; // http::told
	struct http_connection **told_link; // NULL: it is not there
	struct http_exchange *exchange; // a reference; or NULL
	struct http_decoding *decoding; // of the exchange's body; or NULL
	char *in; // HTTP_HEAD_MAX bytes, while there are any
	size_t in_size;
	size_t scanned; // of the head
	size_t body_capacity;
	struct http_chunks chunks;
	size_t drained;
	bool unread; // there may be bytes to read, and they have to wait
	bool introduced; // the exchange's user is known to the store, or about to be
	bool advancing;
	bool input_ended;
	bool closing; // once the output is flushed
	bool dead; // the front frees it
	/* Goes on with what is there: a body was decoded, or an exchange answered. */
	void (*go_on)(struct http_connection *connection);
};

/* Takes the descriptor when it succeeds. */
int http_connection_new(struct http *http, int fd, struct http_connection **ret_connection);
struct http_connection *http_connection_free(struct http_connection *connection);
/* ---- http_request.c ---- */

/* Answers what is wrong with a request; the connection ends with it. */
void http_refuse(struct http_connection *connection, int status, int code, const char *reason);
/* The head is there: refuses it, or goes on to the body. */
void http_request_begin(struct http_connection *connection);
/* Puts bytes of the body where they belong. Returns how many were the body's, or negative: it was refused. */
ssize_t http_request_add(struct http_connection *connection, char *data, size_t size);
void http_request_decode(struct http_connection *connection);
/* Its user is known to the store. */
void http_request_serve(struct http_connection *connection);

/* ---- http_call.c ---- */

/* The peer is gone: calls are abandoned. */
void http_exchange_abandon(struct http_exchange *exchange);
/* The caller waits for what will come about, and not for an answer that is under way. */
bool http_exchange_follows(const struct http_exchange *exchange);

/* ---- http_exchange.c ---- */

struct http_exchange *http_exchange_new(struct http_connection *connection);
/* Nothing of it is sent any more. */
void http_exchange_leave(struct http_exchange *exchange);
/* Whether more output is welcome. */
bool http_has_room(const struct http_exchange *exchange);
/* Sends what says that a silent stream lives. */
void http_stream_beat(struct http_exchange *exchange);

/* ---- http_route.c ---- */

/* The route of a request, with the values of its path. NULL, with the status and, where others are
 * served, their verbs: 404 or 405. */
const struct http_route *http_route_find(const struct http_routes *const *tables,
					 struct http_exchange *exchange, int *ret_status,
					 unsigned *ret_verbs);
void http_verbs_text(unsigned verbs, char *ret_text, size_t size);

/* ---- http_socket.c: what goes in and out ---- */

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
/* Whether the connection is used on for further requests. */
bool http_connection_keeps(const struct http_connection *connection);
