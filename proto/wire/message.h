/*
 * The envelope of Varlink: calls and replies as texts, and back. The texts carry their NUL.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/fault/fault.h"

enum wire_flags {
	WIRE_ONEWAY = 1 << 0, // no reply is wanted
	WIRE_MORE = 1 << 1, // many replies are welcome
	WIRE_UPGRADE = 1 << 2, // the connection changes its protocol
};

struct wire_call {
	const char *method; // qualified
	json_object *parameters; // an object, empty when none were given
	unsigned flags; // enum wire_flags
	json_object *envelope; // owns the above
};

struct wire_reply {
	const char *error; // qualified; NULL: none
	json_object *parameters; // an object, empty when none were given
	bool continues;
	json_object *envelope; // owns the above
};

/* Decode: 0, or the fault's code: InvalidMessage, Internal without memory. */
int wire_call_decode(const char *text, size_t size, struct wire_call *ret_call,
		     struct fault *fault);
void wire_call_done(struct wire_call *call);
int wire_reply_decode(const char *text, size_t size, struct wire_reply *ret_reply,
		      struct fault *fault);
void wire_reply_done(struct wire_reply *reply);

/* Encode: `parameters` is borrowed and may be NULL; free() the text; `*ret_size` counts the final
 * NUL. -ENOMEM; -EINVAL for flags or an error that there are not; -EMSGSIZE when the message would
 * be larger than MESSAGE_SIZE_MAX. */
int wire_call_encode(const char *method, json_object *parameters, unsigned flags, char **ret_text,
		     size_t *ret_size);
int wire_reply_encode(json_object *parameters, bool continues, char **ret_text,
		      size_t *ret_size);

/* A reply that is written in place: the head, the text of its parameters, and, once it is known
 * whether another reply follows, the tail. There is room for WIRE_REPLY_TAIL_MAX bytes behind the
 * parameters. Returns the size with the final NUL. */
#define WIRE_REPLY_HEAD "{\"parameters\":"
#define WIRE_REPLY_TAIL_MAX 24
size_t wire_reply_close(char *text, size_t size, bool continues);

int wire_error_encode(const struct fault *fault, char **ret_text, size_t *ret_size);
