/*
 * One call on one connection: it is sent, its replies come in, and after the last one the
 * connection goes back to the handle. What the daemon sends is checked here; a connection on
 * which anything was wrong is closed, never used again.
 *
 * When the connection is lost and the call can be resumed, the exchange is `lost` until
 * exchange_reconnect() has succeeded, or it is too late for that and the loss is the outcome.
 *
 * Where calls keep their order, one is sent behind another on the same connection, and gets that
 * when the other has ended well; else its own is lost.
 */
#pragma once

#include "client/operations/handle.h"
#include "client/operations/resume.h"

/* How it is made, besides the flags of proto/wire/message.h. */
enum exchange_flags {
	EXCHANGE_RAW = 1 << 8, // request and replies are texts, the latter struct ellu_raw_reply
	EXCHANGE_EVENT = 1 << 9, // of an event handle
};

struct exchange {
	struct ellu *handle;
	const struct method *method; // NULL: one that is not known, of a raw one
	unsigned flags;
	bool ended;
	bool lost; // and not ended
	bool received; // the daemon had the call, on a connection before this one
	char *text; // what is to be sent, and was not; owned. NULL: what is to be resumed
	size_t size;
	struct connection *connection; // until it has ended; NULL while it is lost or behind another
	struct exchange *before; // has the connection, or is behind who has it; or NULL
	struct exchange *behind; // or NULL
	bool spoiled; // what was sent behind it was broken off: the connection ends with it
	struct resume resume;
	uint64_t patience_usec; // for the answer, or a page of it; 0: as the handle says
	uint64_t give_up_usec; // when a loss is final; 0: nothing was lost since the last reply
	struct backoff backoff; // of a blocking handle
};

/* What came: a reply, or an error. */
struct outcome {
	int result; // 1: a reply and more follow, 0: the last reply, negative: an error
	const void *reply;
	const struct ellu_error *error; // may be NULL without memory
};

/* Begins one that is not sent yet; checks all that the program gives for it, and tells what is wrong
 * there in *ret_error (which may be NULL). Only after success is there anything to be done. */
int exchange_init(struct exchange *exchange, struct ellu *handle, const char *method,
		  const void *request, unsigned flags, const struct ellu_error **ret_error);
/* Breaks off what has not ended. */
void exchange_done(struct exchange *exchange);

/* How long a blocking caller waits for an answer that is asked for now, or its next page: until then.
 * That an event is long in coming says nothing. UINT64_MAX: for ever. */
uint64_t exchange_deadline(const struct exchange *exchange);

/* What is to be sent, or resumed, gets a connection. */
int exchange_send(struct exchange *exchange);

/* The same behind another one of the handle, where exchange_may_follow() says so; *ret_first has the
 * connection. */
bool exchange_may_follow(struct exchange *before);
int exchange_send_behind(struct exchange *exchange, struct exchange *before,
			 struct exchange **ret_first);

/* What of it can be had without reading: 1 with an outcome that the caller owns, else 0. Of a call
 * without a reply it is that it was sent. */
int exchange_next(struct exchange *exchange, struct outcome *ret_outcome);

/* Sends and reads what is possible now. 1: exchange_next() has something to look at. */
int exchange_pump(struct exchange *exchange);

/* What was lost is not back yet. */
bool exchange_is_reconnecting(const struct exchange *exchange);

/* Tries to resume what is lost. 1: it has a connection again. 0: not now. Negative: what went wrong
 * in the end; exchange_give_up() makes the outcome of it. */
int exchange_reconnect(struct exchange *exchange);
void exchange_give_up(struct exchange *exchange, int code, struct outcome *ret_outcome);

/* It took too long. */
void exchange_time_out(struct exchange *exchange, struct outcome *ret_outcome);

/* ---- For blocking handles ---- */

/* Until there is an outcome: 1. 0: the time passed. -EINTR: a signal handler ran. */
int exchange_wait(struct exchange *exchange, uint64_t deadline_usec, struct outcome *ret_outcome);

/* Until there is an outcome, which is -ETIMEDOUT when none came in time. */
void exchange_await(struct exchange *exchange, struct outcome *ret_outcome);

void outcome_done(struct outcome *outcome);
