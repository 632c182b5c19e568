/*
 * One user's connections, and the handles that use them: no call goes over what another user's
 * calls have opened, and what one holds open crowds out nobody else's. Calls with configs that are
 * shared have a pool of their own, for whichever user they are made.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/backend/connection/multi.h"
#include "daemon/backend/dialect/answer.h"
#include "daemon/backend/ground.h"
#include "daemon/backend/limits/loop_share.h"
#include "daemon/backend/wire/buffer.h"

struct backend;
struct descriptors;
struct transfer;
TAILQ_HEAD(transfers, transfer);

#define POOL_SHARED INT64_C(-1) // in place of a user
#define POOL_IDLE_USEC INT64_C(120000000) // then the peers have closed the connections, too

struct pool {
	TAILQ_ENTRY(pool) of_all; // backend::pools
	struct ground *ground;
	int64_t user;
	unsigned n_origins; // goes with the last
	unsigned n_endpoints;
	struct multi *multi; // made on first use
	struct loop_share share;
	struct transfers spare; // idle easy handles
	struct transfers busy;
	int n_busy;
	struct deadline idle; // when nothing has been in flight for so long, memory goes back
};
TAILQ_HEAD(pools, pool);

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

/* Whose pool serves the user's calls with the target. */
int64_t pool_owner(const struct llm_target *target, int64_t user);
struct pool *pool_get(struct pools *pools, struct ground *ground, int64_t owner); // NULL: -ENOMEM
/* Frees one that no origin uses. */
void pool_release(struct pools *pools, struct pool *pool);

/* Its last call has left flight. */
void pool_rest(struct pool *pool);
/* Gives back handles and connections; nothing of it is in flight. */
void pool_forget(struct pool *pool);
/* One handle, which is in no list. */
void pool_free_handle(struct transfer *transfer);
/* At a turn's end: idle connections give way after a shortage of descriptors, or may stay again. */
void pools_fit(struct pools *pools, struct descriptors *descriptors);
