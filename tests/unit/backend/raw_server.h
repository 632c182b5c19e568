/*
 * An HTTP server of literal bytes, on a thread of its own: it reads a request to its end, and
 * sends what it was told to, be it an answer or not. One connection after the other.
 */
#pragma once

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum raw_end {
	RAW_CLOSE,
	RAW_RESET,
	RAW_HOLD, // open until the client closes
};

struct raw_reply {
	const char *bytes;
	size_t size; // 0: a text
	const char *more; // behind it, so many times; or NULL
	unsigned n_more;
	const char *last; // behind that, or NULL
	enum raw_end end;
};

struct raw_server {
	char url[64]; // http://127.0.0.1:PORT/v1
	int fd;
	pthread_t thread;
	pthread_mutex_t lock; // of what is below
	const struct raw_reply *reply;
	char request[65536]; // the last one's head and body
	int n_requests;
};

void raw_server_start(struct raw_server *server, const struct raw_reply *reply);
void raw_server_say(struct raw_server *server, const struct raw_reply *reply); // from now on
/* The last request, until the next; how many there were. */
const char *raw_server_heard(struct raw_server *server, int *ret_n);
void raw_server_stop(struct raw_server *server);
