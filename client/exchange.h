/* SPDX-License-Identifier: MIT */
/*
 * One call on one connection: it is sent, its replies come in, and after the last one the
 * connection goes back to the handle. What the daemon sends is checked here; a connection on
 * which anything was wrong is closed, never used again.
 */
#pragma once

#include <json-c/json.h>

#include "client/handle.h"
#include "proto/method.h"

struct exchange {
	struct ellu *handle;
	const struct method *method; // NULL: raw, replies are struct ellu_raw_reply
	bool more;
	bool ended;
	struct connection *connection; // until it has ended
};

/* What came: a reply, or an error. */
struct outcome {
	int result; // 1: a reply and more follow, 0: the last reply, negative: an error
	const void *reply;
	const struct ellu_error *error; // may be NULL without memory
};

/* A call ready to be sent. */
struct letter {
	const struct method *method; // NULL: raw
	bool more;
	char *text; // owned
	size_t size;
};

/* Both check what they are given; what is wrong there is told in *ret_error (which may be NULL). */
int letter_write(const struct method *method, const void *request, bool more,
		 struct letter *ret_letter, const struct ellu_error **ret_error);
int letter_write_raw(const char *method, const char *parameters, bool more,
		     struct letter *ret_letter, const struct ellu_error **ret_error);
void letter_done(struct letter *letter);

/* Takes the letter's text when it succeeds. */
int exchange_begin(struct exchange *exchange, struct ellu *handle, struct letter *letter);

/* What of it can be had without reading: 1 with an outcome that the caller owns, else 0. */
int exchange_next(struct exchange *exchange, struct outcome *ret_outcome);

/* Sends and reads what is possible now. 1: exchange_next() has something to look at. */
int exchange_pump(struct exchange *exchange);

/* Blocks for the next outcome. */
void exchange_await(struct exchange *exchange, struct outcome *ret_outcome);

/* Breaks off what has not ended. */
void exchange_done(struct exchange *exchange);

void outcome_done(struct outcome *outcome);
