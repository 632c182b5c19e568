/*
 * One attempt over HTTP, on an easy handle from its user's pool. Handles keep their options
 * from one call to the next; only what differs is set again.
 *
 * Time limits beyond curl's own for connecting are the backend's deadlines: for the first byte
 * from when the request goes out, for a stall from the last byte, and for all of it.
 *
 *	transfer.c	handles, and an attempt's way from its start to its end
 *	reception.c	what comes back on one
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/backend/core.h"
#include "daemon/backend/dialect/answer.h"
#include "daemon/backend/multi.h"

#define IDEMPOTENCY_HEADER "Idempotency-Key: "
#define SIGNED_LINES_MAX 2 // that a dialect signs an attempt with

enum transfer_phase {
	TRANSFER_CONNECTING,
	TRANSFER_SENT, // a connection stands, the request goes out
	TRANSFER_ANSWERING, // bytes of the body arrive
};

/* A body that is read as it comes. */
struct reading {
	struct answer answer;
	struct attempt attempt;
};

struct transfer {
	TAILQ_ENTRY(transfer) of_list; // pool::spare or pool::busy
	TAILQ_ENTRY(transfer) of_unread; // backend::unread
	TAILQ_ENTRY(transfer) of_news; // backend::news
	struct pool *pool;
	struct multi_sockets sockets;
	CURL *easy;
	struct backend *backend;
	struct job *job; // while busy
	struct llm_target *target; // whose options the handle has, with a reference; or NULL
	const struct target_url *url; // the target's that it has
	struct curl_slist idempotency; // goes before the target's headers
	char idempotency_line[sizeof(IDEMPOTENCY_HEADER) + 64];
	struct curl_slist signed_lines[SIGNED_LINES_MAX]; // before that
	struct buffer signature; // holds them
	char error[CURL_ERROR_SIZE];
	struct buffer body; // of the answer, if it is one piece
	struct reading *reading; // else; or NULL
	size_t body_max;
	bool too_large;
	bool is_long; // counts in admission::long_answers
	bool unread; // is in backend::unread
	size_t would_hold; // with what comes next, while it is
	size_t grown; // bytes of backend_user::stream_bytes
	bool has_news; // is in backend::news
	enum transfer_phase phase;
	struct deadline deadline;
	int64_t total_usec; // when all time is up
	int64_t byte_usec; // of the last byte
};

/* The job's attempt goes out, or ends at once. */
void transfer_start(struct job *job);
/* Ends it without a result, and closes its connection. Whether there was one. */
bool transfer_abort(struct transfer *transfer);

/* Delivers what has finished. */
void transfer_collect(struct backend *backend);
/* Goes on with what was left unread, as far as it may be read now. */
void transfer_read_on(struct backend *backend);
/* Makes another multi handle where curl gave up on one. */
void transfer_repair(struct backend *backend);

/* ---- What comes back; reception.c ---- */

/* More is waited for until then, or until all time is up. */
void reception_wait(struct transfer *transfer, int64_t until_usec);
/* curl's write function. */
size_t reception_take(char *data, size_t size, size_t n, void *userdata);
/* What the attempt came to. */
void reception_result(struct transfer *transfer, CURLcode result, struct attempt *attempt);
/* The transfer is over, wherever it was. */
void reception_end(struct transfer *transfer);
/* All of an answer is there, though the connection may go on. */
bool reception_is_whole(const struct transfer *transfer);
/* Whether more of the body may be taken now, when it would hold so much: who reads it is not too far
 * behind, and it is not long, or one of those that may be. */
bool reception_may_take(struct transfer *transfer, size_t held);
/* Tells who reads streams what came of them. */
void reception_tell(struct backend *backend);
