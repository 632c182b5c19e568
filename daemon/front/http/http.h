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

#include "daemon/front/http/http_options.h"
#include "proto/fault/fault.h"

struct http;

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
