/*
 * An HTTP client on literal bytes: what is sent is exactly what the test wrote, and nothing of the
 * project's own code takes part. Blocking; one thread a connection.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

struct http_peer;

/* "http://127.0.0.1:8080" or "unix:/path". */
struct http_peer *http_open(const char *url);
void http_close(struct http_peer *peer);
int http_fd(const struct http_peer *peer);
/* Headers that each request carries: lines with their CR LF; kept. */
void http_set_headers(struct http_peer *peer, const char *lines);

/* All of them, however long it takes; false: the other side is gone. */
bool http_send(struct http_peer *peer, const char *bytes, size_t size);
bool http_send_text(struct http_peer *peer, const char *bytes);

struct http_answer {
	int status; // 0: the connection ended before an answer
	char *head; // all its lines
	char *body; // with a NUL behind it
	size_t size;
};

/* The next answer, valid until the next call; its body, too, unless it is a stream of events. */
const struct http_answer *http_receive(struct http_peer *peer);
/* The next event of a stream, without the blank line: its lines. NULL: the stream has ended, or broken off:
 * see `*ret_whole`, which may be NULL. */
const char *http_event(struct http_peer *peer, bool *ret_whole);
/* Whether what the stream says next is that it lives; waits for it. */
bool http_heartbeat(struct http_peer *peer);
/* The value of a line of the event, "data"; or NULL. */
const char *http_event_line(const char *event, const char *name);
/* Waits for anything of an answer, which stays to be received. False: the other side is gone. */
bool http_wait(struct http_peer *peer);
/* True once the other side has closed; waits for it. */
bool http_is_closed(struct http_peer *peer);

/* Sends a request and receives its answer. `body` NULL: none; else JSON, ' for ". */
const struct http_answer *http_ask(struct http_peer *peer, const char *verb, const char *target,
				   const char *body);
/* The same that must have this status; the JSON of the answer, or NULL without any. */
json_object *http_json(struct http_peer *peer, int status, const char *verb, const char *target,
		       const char *body);
/* The value of a header of the answer, or NULL. */
const char *http_answer_header(const struct http_answer *answer, const char *name);
