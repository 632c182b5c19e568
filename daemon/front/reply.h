/*
 * Replies: the room that they take of their user's, and a reply as it goes over a socket. Calls that get the same reply share one: it is encoded for the
 * first of them and sent by all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/api/user.h"
#include "daemon/base/share.h"
#include "proto/record/record.h"
#include "proto/wire/method.h"

struct ellu_get_info_reply;
struct loop;

#define SERVICE_INTERFACES_MAX 8

enum reply_stage {
	REPLY_BEGINS,
	REPLY_GOES_ON, // goes before those that have not begun
	REPLY_LAGS, // goes on, and what was sent before has not been taken yet
};

/* What GetInfo says; there is room for further names. */
struct ellu_get_info_reply service_info(const char *names[static SERVICE_INTERFACES_MAX]);

/* Takes room for a method's reply before it is made, so that what nobody reads is not made; NULL: for
 * one of our own. False: the waiter is woken when there may be some. */
bool reply_expect(struct user_charge *expected, struct user *user, const struct method *method,
		  enum reply_stage stage, struct user_waiter *waiter);

struct reply {
	unsigned references;
	char *text; // the whole message
	size_t size;
	struct loop *behind; // frees the text; or NULL
};

/* Takes the text, which is freed there, also when it fails: NULL without memory. */
struct reply *reply_new(char *text, size_t size, struct loop *behind);
struct reply *reply_ref(struct reply *reply);
struct reply *reply_unref(struct reply *reply);

enum reply_form {
	REPLY_VARLINK,
	REPLY_EVENT, // of Server-Sent Events, as a chunk
	REPLY_PROGRESS, // the same in the elluminate SDK's dialect
};

/* What was left in a share for this type, form and place in the stream: borrowed, or NULL. */
struct reply *replies_find(const struct share *share, const struct record_type *type,
			   enum reply_form form, bool continues);
/* Leaves it there for others. Without memory they encode it again. */
void replies_keep(struct share *share, const struct record_type *type, enum reply_form form,
		  bool continues, struct reply *reply);
