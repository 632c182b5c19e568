/*
 * The HTTP front: a listening socket on loopback or a Unix socket, and its connections. It speaks
 * HTTP/1.1, knows callers by their tokens, and hands requests to routes (http_exchange.h); it knows no
 * rule of the domain. TLS, and the world outside, are a reverse proxy's. All of it lives on one loop.
 *
 * The requests are parsed here and not by libevent's evhttp: that one asks nobody between the head of a
 * request and the end of its body, so that a stranger makes the server keep all of it, goes on reading
 * without a bound while it answers, and takes heads that a proxy reads otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/fault/fault.h"

struct http;
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

int http_new(const struct http_options *options, struct http **ret_http, struct fault *fault);
void http_stop_listening(struct http *http);
/* Closes every connection. */
void http_close(struct http *http);
struct http *http_free(struct http *http);
void http_set_limits(struct http *http, const struct http_limits *limits);
/* Where it listens, as a URL: with the port that was found where none was said. */
const char *http_url(const struct http *http);
/* Whether an address may be listened on: loopback or a Unix socket; what is wrong with it is told. */
int http_check_address(const char *address, struct fault *fault);
