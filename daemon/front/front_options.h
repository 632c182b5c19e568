/* What the Varlink front is made with, and what it serves beside the methods of the table. */
#pragma once

#include <json-c/json.h>
#include <stdint.h>

#include "daemon/api/call.h"
#include "daemon/api/principal.h"
#include "proto/wire/message.h"

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
