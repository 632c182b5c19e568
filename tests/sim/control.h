/*
 * The tests' side door: /control, /stats, /stats/reset, /requests.
 */
#pragma once

#include <stdbool.h>

struct http_conn;
struct http_request;
struct simulator;

/* False when the path is none of these: nothing was answered. */
bool control_request(struct simulator *simulator, struct http_conn *conn,
		     const struct http_request *request);
