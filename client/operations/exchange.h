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

#include <json-c/json.h>

#include "client/operations/handle.h"
#include "client/operations/resume.h"
#include "proto/wire/method.h"

struct exchange {
	struct ellu *handle;
	bool raw; // replies are struct ellu_raw_reply
	bool more;
	bool ended;
	bool lost; // and not ended
	bool received; // the daemon had the call, on a connection before this one
	struct connection *connection; // until it has ended; NULL while it is lost or behind another
	struct exchange *before; // has the connection, or is behind who has it; or NULL
	struct exchange *behind; // or NULL
	bool spoiled; // what was sent behind it was broken off: the connection ends with it
	struct resume resume; // with the method
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

/* A call ready to be sent. */
struct letter {
	bool raw;
	char *text; // owned
	size_t size;
	uint64_t patience_usec;
	struct resume resume; // owned, with the method
};

/* Both check what they are given; what is wrong there is told in *ret_error (which may be NULL). */
int letter_write(const struct method *method, const void *request, bool more,
		 struct letter *ret_letter, const struct ellu_error **ret_error);
/* `flags` as in proto/wire/message.h */
int letter_write_raw(const char *method, const char *parameters, unsigned flags,
		     struct letter *ret_letter, const struct ellu_error **ret_error);
void letter_done(struct letter *letter);

/* What every call begins with: may it be made on the handle, and its letter by the method's name. */
int call_check(struct ellu *handle, unsigned mode, const struct ellu_error **ret_error);
int call_write(const char *name, const void *request, bool more, struct letter *ret_letter,
	       const struct ellu_error **ret_error);

/* Takes what the letter holds when it succeeds. */
int exchange_begin(struct exchange *exchange, struct ellu *handle, struct letter *letter);

/* The same behind another one of the handle, where exchange_may_follow() says so; *ret_first has the
 * connection. */
bool exchange_may_follow(struct exchange *before);
int exchange_begin_behind(struct exchange *exchange, struct exchange *before, struct letter *letter,
			  struct exchange **ret_first);

/* What of it can be had without reading: 1 with an outcome that the caller owns, else 0. */
int exchange_next(struct exchange *exchange, struct outcome *ret_outcome);

/* Sends and reads what is possible now. 1: exchange_next() has something to look at. */
int exchange_pump(struct exchange *exchange);

/* What was lost is not back yet. */
bool exchange_is_reconnecting(const struct exchange *exchange);

/* Tries to resume what is lost. 1: it has a connection again. 0: not now. Negative: what went wrong
 * in the end; exchange_give_up() makes the outcome of it. */
int exchange_reconnect(struct exchange *exchange);
void exchange_give_up(struct exchange *exchange, int code, struct outcome *ret_outcome);

/* Waits for the connection, or the time of the next try. 1: there may be something to do, 0: the
 * time passed (negative: no limit), -EINTR. */
int exchange_wait(const struct exchange *exchange, long long timeout_usec);

/* Both steps in one, for blocking handles: 1 with an outcome, 0 when there is reason to wait. */
int exchange_step(struct exchange *exchange, struct outcome *ret_outcome);

/* Microseconds until then, for exchange_wait(). */
long long exchange_left(uint64_t deadline_usec);

/* Blocks until the call is sent. */
int exchange_flush(struct exchange *exchange, uint64_t deadline_usec);

/* When an answer that is asked for now is too late; UINT64_MAX: never. */
uint64_t exchange_deadline(const struct exchange *exchange);

/* Too late. */
void exchange_time_out(struct exchange *exchange, struct outcome *ret_outcome);

/* Blocks for the next outcome, which is -ETIMEDOUT when none came in time. */
void exchange_await(struct exchange *exchange, uint64_t deadline_usec,
		    struct outcome *ret_outcome);

/* Breaks off what has not ended. */
void exchange_done(struct exchange *exchange);

void outcome_done(struct outcome *outcome);
