/*
 * libcurl's multi handle on a libevent base. Sockets are watched by events; curl's own timer is
 * only remembered, for the loop's one timer to serve. Nothing is reported from inside curl:
 * finished transfers are taken out by multi_drain(), called at the end of a turn.
 *
 * A socket that curl lets go of stays registered until something is to be read from it, which is
 * the end of an idle connection: to take it up again for the next call costs no system call.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#if LIBCURL_VERSION_NUM >= 0x080600
#define MULTI_HEADER_TOO_LONG CURLE_TOO_LARGE
#else
#define MULTI_HEADER_TOO_LONG CURLE_OUT_OF_MEMORY // as it is told before
#endif

struct descriptors;
struct event_base;
struct multi;

int multi_new(struct event_base *base, int max_connections, struct descriptors *descriptors,
	      struct multi **ret_multi);
/* Its easy handles have been removed. Closes all connections. */
struct multi *multi_free(struct multi *multi);

/* How an easy handle gets its sockets; outlives what it does with the multi handle. */
struct multi_sockets {
	struct multi *multi;
	bool refused; // one, for lack of file descriptors
	bool plain; // no TLS and no proxy; said by the owner, before it is added
};

/* Options that each easy handle must have before it is added. */
bool multi_prepare(struct multi_sockets *sockets, struct multi *multi, CURL *easy);
int multi_add(struct multi *multi, CURL *easy); // -ENOMEM, -EIO
void multi_remove(struct multi *multi, CURL *easy); // closes its connection if it was in use

/* When a connection is let go, and there are more, the one idle for longest is closed. */
void multi_keep(struct multi *multi, int max_connections);

/* When curl wants multi_kick(), or DEADLINE_NEVER. */
int64_t multi_due_usec(const struct multi *multi);
void multi_kick(struct multi *multi);

/* Hands over each finished transfer, removed from the multi handle, until that time at least one.
 * True: there are more. */
bool multi_drain(struct multi *multi, int64_t until_usec,
		 void (*done)(void *userdata, CURL *easy, CURLcode result), void *userdata);

/* How long it was at work since this was asked last. */
int64_t multi_take_used_usec(struct multi *multi);

/* curl gave up on the whole handle: put back what is under way and make another. */
bool multi_is_broken(const struct multi *multi);
