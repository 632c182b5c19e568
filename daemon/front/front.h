/*
 * The Varlink front: a listening Unix socket and its connections. It decodes calls, says whose
 * they are, hands them to their methods and sends what they answer; it knows no rule of the
 * domain. All of it lives on one loop.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/api/call.h"
#include "daemon/api/principal.h"
#include "proto/wire/message.h"

struct front;
struct user_charge;

/* A call of an interface that has no generated tables, answered at once. Only the test build of
 * the daemon serves one. */
struct raw_call {
	const char *method; // without the interface's name
	json_object *parameters;
	unsigned flags; // enum wire_flags
	void (*reply)(struct raw_call *call, json_object *parameters, bool continues);
	/* `name` is the error's without the interface's. */
	void (*fail)(struct raw_call *call, const char *name, json_object *parameters);
	void *data; // the front's own
};

struct raw_interface {
	const char *name;
	const char *description;
	/* -ENOENT: there is no such method. */
	int (*handle)(struct raw_call *call);
};

struct front_options {
	struct loop *loop;
	struct service *service;
	int listener; // handed over by the service manager and taken; -1: bind socket_path
	const char *socket_path;
	unsigned socket_mode;
	int64_t output_stall_seconds; // without a byte taken, until a peer is dropped
	int64_t message_seconds; // from a message's first byte to its end
	struct principal_rules rules;
	const struct raw_interface *raw; // or NULL
};

/* Listens. The daemon holds the lock on its state folder, so a socket that nobody answers on is
 * a dead one and is replaced; a live one is -EADDRINUSE. */
int front_new(const struct front_options *options, struct front **ret_front, struct fault *fault);
/* Closes every connection. */
void front_close(struct front *front);
/* The same, and removes the socket. */
struct front *front_free(struct front *front);

/* A connection of the caller's, served as if it had been accepted; `*ret_fd` is its other end, the
 * caller's own. `lent` are scopes that hold until front_take_back(); `unused`, which it takes, is
 * held until the connection is used. 0, or negative with the fault. */
int front_connect(struct front *front, const struct principal *principal, unsigned lent,
		  struct user_charge *unused, int *ret_fd, struct fault *fault);
/* Connections with scopes that were lent have them no longer: they end, after what is answered at
 * once. */
void front_take_back(struct front *front);

void front_set_times(struct front *front, int64_t output_stall_seconds, int64_t message_seconds);
/* Whether nobody came in the last moment. If somebody did, he is served, and the socket is there
 * as before. The front has no connection when this is called. */
bool front_leave(struct front *front);
void front_stop_listening(struct front *front);
