/*
 * The bytes of one call's answer, right or wrong, and how they are to be sent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/behaviour.h"
#include "tests/sim/bytes.h"
#include "tests/sim/chat.h"

enum chat_play {
	CHAT_PLAY_WHOLE,
	CHAT_PLAY_HALF,      /* the head and half of the body */
	CHAT_PLAY_STALL,     /* the same, and no end */
	CHAT_PLAY_SLOW_HEAD, /* the head a byte at a time */
	CHAT_PLAY_RESET,
	CHAT_PLAY_NOTHING,
};

struct chat_reply {
	const struct chat_dialect *dialect;
	struct bytes out;
	size_t head_size;
	int status;   /* 0: the client will not see a whole answer */
	bool correct; /* a 200 that means what it says */
	bool close;   /* the connection ends behind it */
	bool is_stream; /* the head goes with the first event, then event by event */
	enum chat_play play;
};

enum chat_refusal {
	CHAT_REFUSAL_KEY,
	CHAT_REFUSAL_RATE,
	CHAT_REFUSAL_CONCURRENCY,
	CHAT_REFUSAL_REQUEST,
	CHAT_REFUSAL_MODEL,
	CHAT_REFUSAL_SCHEMA,
	CHAT_REFUSAL_MAX_TOKENS,
	CHAT_REFUSAL_CONTENT_FILTER,
	CHAT_REFUSAL_CONTEXT_LENGTH,
	CHAT_REFUSAL_ERROR_500,
	CHAT_REFUSAL_ERROR_503,
	_CHAT_REFUSAL_MAX,
};

void chat_reply_done(struct chat_reply *reply);

/* An error in place of an answer; message NULL takes the usual one. */
void chat_reply_refuse(struct chat_reply *reply, const struct behaviour *behaviour,
		       enum chat_refusal refusal, const char *message);

/* Reads the request; one that this endpoint does not accept gets its refusal, and false. The
 * caller ends *ret_chat. */
bool chat_reply_accepts(struct chat_reply *reply, const struct behaviour *behaviour,
			struct span body, const struct chat_wanted *wanted,
			struct chat_request *ret_chat);

void chat_reply_make(struct chat_reply *reply, const struct behaviour *behaviour,
		     const struct chat_request *chat, uint64_t number, enum fault fault);

/* How many bytes are to be sent in all, and where the event that holds `from` ends. */
size_t chat_reply_end(const struct chat_reply *reply);
size_t chat_reply_event_end(const struct chat_reply *reply, size_t from);
