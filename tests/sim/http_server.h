/*
 * The listening socket on 127.0.0.1 and the list of its connections.
 */
#pragma once

#include <stdint.h>

#include "tests/sim/http_conn.h"

struct event_base;
struct http_server;

/* Port 0 picks a free one. The handler must outlive the server. 0 or a negative errno. */
int http_server_new(struct event_base *base, uint16_t port, const struct http_handler *handler,
		    struct http_server **ret_server);
void http_server_free(struct http_server *server);

uint16_t http_server_port(const struct http_server *server);
const struct http_conn_stats *http_server_stats(const struct http_server *server);
