/*
 * What a request goes through on its connection before its route serves it: where it was sent to, who asks,
 * what for, and, once that is known, the body.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct http_connection;

/* Answers what is wrong with a request; the connection ends with it. */
void http_refuse(struct http_connection *connection, int status, int code, const char *reason);
/* The head is there: refuses it, or goes on to the body. */
void http_request_begin(struct http_connection *connection);
/* Puts bytes of the body where they belong. Returns how many were the body's, or negative: it was refused. */
ssize_t http_request_add(struct http_connection *connection, char *data, size_t size);
void http_request_decode(struct http_connection *connection);
/* Its user is known to the store. */
void http_request_serve(struct http_connection *connection);
