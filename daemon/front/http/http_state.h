/*
 * What the HTTP front consists of, and one connection of it: bytes in, bytes out, one exchange at a time, in
 * order. Before its head is there a request costs its peer's connection and no more than HTTP_HEAD_MAX bytes;
 * before it is known whose it is, no body is read. From then on all is the user's: the place, the input, the
 * output. A request that has begun must end in time, and so must the next one begin.
 *
 * Callers have their turns by users (daemon/api/user.h); who is not known yet is one of USER_UNKNOWN.
 */
#pragma once

#include <event2/event.h>

#include "daemon/api/user.h"
#include "daemon/front/acceptor.h"
#include "daemon/front/connections.h"
#include "daemon/front/http/http_head.h"
#include "daemon/front/http/http_options.h"
#include "daemon/front/output.h"

struct http_exchange;

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
