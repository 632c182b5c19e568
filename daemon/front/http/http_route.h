/* The route of a request. */
#pragma once

struct http_exchange;
struct http_routes;

/* That of the first table that has one, with the values of its path. NULL, with the status and, where others are
 * served, their verbs: 404 or 405. */
const struct http_route *http_route_find(const struct http_routes *const *tables,
					 struct http_exchange *exchange, int *ret_status,
					 unsigned *ret_verbs);
