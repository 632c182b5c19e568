/* What the HTTP front is made with. */
#pragma once

#include <stdint.h>

struct http_routes;
struct loop;
struct service;

struct http_limits {
	int64_t connections;
	int64_t requests_per_second; // of one token
	int64_t body_bytes;
	int64_t idle_seconds; // between requests
	int64_t message_seconds; // from a request's first byte to its last
	int64_t heartbeat_seconds; // after which a silent stream says that it lives
	int64_t output_stall_seconds; // without a byte taken, until a peer is dropped
};

struct http_options {
	struct loop *loop;
	struct service *service;
	const struct http_routes *const *tables; // of routes; NULL at their end; borrowed
	const char *address; // "127.0.0.1:8080", "[::1]:8080", or the path of a Unix socket
	const char *hosts; // further names that Host may have, with blanks between; or NULL
	unsigned socket_mode; // of a Unix socket
	struct http_limits limits;
};
