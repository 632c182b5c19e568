/*
 * Decodes large messages on a thread of its own, one after the other, so that the main loop goes
 * on meanwhile; it gives way to the other threads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/loop.h"
#include "proto/arena.h"
#include "proto/fault/fault.h"
#include "proto/wire/message.h"

struct method;
struct service;

/* What is larger is decoded there. */
#define DECODE_HERE_MAX 16384

/* What a message says. Either `request` is there, or `wire` for what has no generated tables. */
struct decoded {
	const struct method *method; // NULL: none of the tables
	unsigned flags; // enum wire_flags
	bool is_broken; // the envelope: nothing after it can be trusted
	struct fault fault; // if its code is set
	struct arena arena; // of the request
	void *request;
	const void *digest; // see store_method_digest()
	struct wire_call wire;
};

void decode_call(const char *text, size_t size, struct decoded *ret_decoded);
/* The same of what is large. */
void decode_large_call(const char *text, size_t size, struct decoded *ret_decoded);
void decoded_done(struct decoded *decoded);

/* Belongs to the decoder until `done` runs on the main loop. It counts as under way. */
struct decoding {
	struct message message;
	struct service *service;
	int64_t took_usec; // of a processor's time
	void (*decode)(struct decoding *decoding); // on the decoder's thread
	void (*done)(struct decoding *decoding);
};

void decoder_post(struct service *service, struct decoding *decoding);
