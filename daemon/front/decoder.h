/*
 * Decodes large messages on a thread of its own, one after the other, so that the main loop goes
 * on meanwhile; it gives way to the other threads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/loop.h"
#include "proto/arena.h"
#include "proto/fault.h"
#include "proto/message.h"

struct decoder;
struct method;

/* What a message says. Either `request` is there, or `wire` for what has no generated tables. */
struct decoded {
	const struct method *method; // NULL: none of the tables
	unsigned flags; // enum wire_flags
	bool is_broken; // the envelope: nothing after it can be trusted
	struct fault fault; // if its code is set
	struct arena arena; // of the request
	void *request;
	struct wire_call wire;
};

void decode_call(const char *text, size_t size, struct decoded *ret_decoded);
void decoded_done(struct decoded *decoded);

/* Belongs to the decoder until `done` runs on the loop that the decoder answers to. */
struct decoding {
	struct message message;
	struct decoder *decoder;
	const char *text; // borrowed
	size_t size;
	struct decoded decoded;
	int64_t took_usec; // of a processor's time
	void (*done)(struct decoding *decoding);
};

int decoder_new(struct loop *reply_to, struct decoder **ret_decoder);
/* Nothing is being decoded. Accepts NULL, returns NULL. */
struct decoder *decoder_free(struct decoder *decoder);
void decoder_post(struct decoder *decoder, struct decoding *decoding);
struct loop *decoder_loop(struct decoder *decoder);
