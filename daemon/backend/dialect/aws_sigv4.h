/*
 * Signature Version 4 of Amazon's web services, for requests by POST. Pure: it follows from its
 * arguments.
 *
 * libcurl's own (CURLOPT_AWS_SIGV4) is no help where a path has escaped characters, as those of
 * models have: it signs the path as it is sent, and the service one that is escaped once more.
 */
#pragma once

#include <curl/curl.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/backend/wire/buffer.h"

struct aws_credentials {
	const char *access_key;
	const char *secret_key;
	const char *session_token; // which is one of the request's headers, too; or NULL
	const char *region;
	const char *service;
};

/* What is sent, as it is sent. Of its headers those are signed that have to be: Content-Type, and what
 * begins with X-Amz-. */
struct aws_request {
	const char *url;
	const struct curl_slist *headers; // as libcurl takes them
	const void *body;
	size_t size;
};

/* Writes two header lines, X-Amz-Date and Authorization, each with a NUL behind it. */
void aws_sigv4_sign(const struct aws_credentials *credentials, const struct aws_request *request,
		    int64_t wall_usec, struct buffer *lines);
