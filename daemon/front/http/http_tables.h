/* Whose routes there are: each table is a file's. */
#pragma once

#include "daemon/front/http/http_exchange.h"

extern const struct http_routes http_method_routes; // http_method.c: the methods of the interface
extern const struct http_routes http_page_routes; // http_page.c: the status page
extern const struct http_routes http_status_routes; // http_status.c: health and metrics
extern const struct http_routes openai_routes; // openai/routes.c
extern const struct http_routes sdk_routes; // sdk/routes.c: what the elluminate SDK speaks
