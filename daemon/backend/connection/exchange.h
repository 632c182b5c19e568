/*
 * A request that is no call: for an access token, or about a batch. It goes the way of its target's calls,
 * by the same proxy and CA, but over a connection of its own. On the backend's loop alone.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/backend/connection/multi.h"
#include "daemon/backend/ground.h"
#include "daemon/backend/wire/buffer.h"

struct descriptors;
struct llm_target;

enum exchange_take {
	EXCHANGE_GO_ON,
	EXCHANGE_PAUSE, // the same comes again after exchange_go_on()
	EXCHANGE_ENOUGH, // no more is wanted: it ends with `stopped`
};

struct exchange {
	TAILQ_ENTRY(exchange) of_all; // exchanges::all, while it is under way

	/* Who asks fills these. All are borrowed until it is over. */
	struct llm_target *target;
	const char *text_url; // or the next
	CURLU *url;
	struct curl_slist *headers;
	const struct buffer *body; // of a POST; NULL: a GET,
	bool deletes; // or a DELETE
	int64_t timeout_usec; // of all of it; with `take`, between two bytes
	size_t reply_max;
	enum exchange_take (*take)(struct exchange *exchange, const char *data, size_t size); // of a 200's body
	void (*done)(struct exchange *exchange); // ends with exchange_end()

	/* What came of it. */
	int status; // 0: no answer
	bool connected, stopped;
	bool no_descriptors; // which is why, and no fault of whom it was sent to
	const char *trouble; // why there is no whole answer, or NULL
	struct buffer reply;

	/* Its own. */
	struct multi_sockets sockets;
	CURL *easy;
	bool too_large, compressed;
	char error[CURL_ERROR_SIZE];
};
TAILQ_HEAD(exchange_list, exchange);

struct exchanges {
	struct ground *ground;
	struct descriptors *descriptors;
	struct exchange_list all;
	struct multi *multi; // whose transfers they all are; NULL: there was none yet
};

void exchanges_init(struct exchanges *exchanges, struct ground *ground, struct descriptors *descriptors);
/* None is under way. */
void exchanges_done(struct exchanges *exchanges);

/* What is its own is zeroed. False: no memory, and nothing has begun. */
bool exchange_start(struct exchanges *exchanges, struct exchange *exchange);
void exchange_go_on(struct exchange *exchange);
/* It is over, or is to be; what came of it is gone. One that was never started too. */
void exchange_end(struct exchanges *exchanges, struct exchange *exchange);
const char *exchange_header(const struct exchange *exchange, const char *name); // or NULL

/* Parts of the backend's turn. */
int64_t exchanges_due_usec(const struct exchanges *exchanges); // or DEADLINE_NEVER
void exchanges_kick(struct exchanges *exchanges);
void exchanges_collect(struct exchanges *exchanges);
