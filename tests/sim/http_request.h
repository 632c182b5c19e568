/*
 * One HTTP/1.1 request, taken apart in place: every span points into the bytes it was parsed
 * from and lives as long as they do.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "tests/sim/bytes.h"

#define HTTP_HEADERS_MAX 64
#define HTTP_HEAD_SIZE_MAX (64 * 1024)
#define HTTP_BODY_SIZE_MAX (64 * 1024 * 1024)

struct http_header {
	struct span name, value;
};

struct http_request {
	struct span method, path, query;
	struct http_header headers[HTTP_HEADERS_MAX];
	size_t n_headers;
	struct span body;
	size_t head_size;
	size_t total_size; /* head and body */
	bool keep_alive;
	bool expect_continue;
};

enum http_request_outcome {
	HTTP_REQUEST_COMPLETE,
	HTTP_REQUEST_HEAD_INCOMPLETE,
	HTTP_REQUEST_BODY_INCOMPLETE, /* all but body is filled in */
	HTTP_REQUEST_MALFORMED,
	HTTP_REQUEST_LENGTH_REQUIRED,
	HTTP_REQUEST_TOO_LARGE,
};

enum http_request_outcome http_request_parse(struct span input, struct http_request *ret_request);

/* The header's value; data is NULL when there is none. */
struct span http_request_header(const struct http_request *request, const char *name);

/* The number behind name= in the query, or fallback. */
long http_request_query_number(const struct http_request *request, const char *name, long fallback);
