/*
 * A reply on its way to the front. Calls that get the same reply share one: it is encoded for the
 * first of them and sent by all.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/share.h"
#include "proto/record.h"

struct call_front;
struct loop;

struct reply {
	unsigned references;
	json_object *parameters; // NULL: `text` has taken its place
	char *text; // the whole message as the front sends it; NULL: not made yet
	size_t size;
	struct loop *behind; // frees `text`; or NULL
	bool open; // `text` begins with WIRE_REPLY_HEAD and lacks its tail
};

/* Takes what it is made of, also when it fails: NULL without memory. */
struct reply *reply_new(json_object *parameters);
struct reply *reply_new_text(char *text, size_t size);
/* A message that was written in place, up to its tail. It may be large, and is freed there. */
struct reply *reply_new_open(char *text, size_t size, struct loop *behind);
/* Whoever sends the text as it is closes it. */
void reply_close(struct reply *reply, bool continues);
/* The parameters, of whichever kind the reply is; the caller's. NULL without memory. */
json_object *reply_parameters(const struct reply *reply);
/* The front has made its message, which the reply takes. */
void reply_set_text(struct reply *reply, char *text, size_t size);
struct reply *reply_ref(struct reply *reply);
struct reply *reply_unref(struct reply *reply);

/* What was left in a share for this front, this type and this place in the stream: borrowed, or
 * NULL. */
struct reply *replies_find(const struct share *share, const struct call_front *front,
			   const struct record_type *type, bool continues);
/* Leaves it there for others. Without memory they encode it again. */
void replies_keep(struct share *share, const struct call_front *front,
		  const struct record_type *type, bool continues, struct reply *reply);
