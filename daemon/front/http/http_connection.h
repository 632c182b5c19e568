/* A connection's life, and what it does with the bytes that come. */
#pragma once

struct http;
struct http_connection;

/* Takes the descriptor when it succeeds. */
int http_connection_new(struct http *http, int fd, struct http_connection **ret_connection);
struct http_connection *http_connection_free(struct http_connection *connection);
