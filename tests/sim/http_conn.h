/*
 * One connection of a client: reads requests one at a time, and leaves every byte of the answer
 * to the one who answers, so that answers can be wrong in any way.
 *
 * Each request gets exactly one of: http_conn_finish, http_conn_reset, or `abandoned` when the
 * client leaves first. One thread, the loop's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "tests/sim/http_request.h"

struct event_base;
struct http_conn;
LIST_HEAD(http_conn_list, http_conn);

struct http_conn_stats {
	uint64_t open, total;
};

struct http_handler {
	/* received_usec: monotonic time at which the request's last byte was read. The request's
	 * spans live only during the call. */
	void (*request)(struct http_conn *conn, const struct http_request *request,
			int64_t received_usec, void *userdata);
	void *userdata;
};

struct http_exchange_ops {
	/* The answer's last byte was handed to the kernel; may come from inside http_conn_finish. */
	void (*finished)(void *data);
	/* The client closed before that. Not to be used any more: the connection. */
	void (*abandoned)(void *data);
};

/* Takes the fd. The connection lives in the list until it ends. */
void http_conn_new(struct event_base *base, int fd, const struct http_handler *handler,
		   struct http_conn_list *list, struct http_conn_stats *stats);
void http_conn_free(struct http_conn *conn);

void http_conn_attach(struct http_conn *conn, const struct http_exchange_ops *ops, void *data);
void http_conn_send(struct http_conn *conn, const void *data, size_t size);
void http_conn_finish(struct http_conn *conn, bool close);

/* Ends the connection with a RST; what was not yet sent is lost. Neither callback comes. */
void http_conn_reset(struct http_conn *conn);

/* A whole answer in one go. headers: further header lines, each ending in CRLF. */
void http_conn_respond(struct http_conn *conn, int status, const char *headers, struct span body);

/* The head of an answer with a JSON body of this size. */
void http_head(struct bytes *out, int status, const char *content_type, const char *headers,
	       size_t body_size);
const char *http_status_text(int status);

int64_t monotonic_usec(void);
