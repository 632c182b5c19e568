/*
 * Access tokens that an endpoint's key is exchanged for (dialect/service_account.h), and are sent in its
 * place. One is had for an endpoint, whichever calls wait for it (http.c); a call that does is in flight, as
 * one that connects is, and shares what becomes of the exchange. What is signed is signed on a thread of its
 * own. A token is renewed, beside the calls that use it, before it expires, and when one that was good is
 * refused. One that never was is dropped with the call that it was refused to.
 *
 * It is nowhere but in memory, and kept out of all that is said like the key itself.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/backend/connection/exchange.h"
#include "daemon/backend/ground.h"
#include "daemon/backend/wire/buffer.h"
#include "daemon/base/loop.h"

struct attempt;
struct bearers;
struct llm_target;

enum bearer_state {
	BEARER_RESTING,
	BEARER_SIGNING, // with the signer
	BEARER_ASKING, // its transfer is added
};

struct bearer {
	TAILQ_ENTRY(bearer) of_all; // bearers::all
	struct bearers *bearers;
	struct llm_target *target; // the endpoint's, a reference
	bool forgotten; // ends with what the signer gives back
	enum bearer_state state;
	struct jobs jobs; // that wait
	/* There is a token, or none could be had. */
	void (*asked)(struct bearer *bearer, const struct attempt *failed);
	bool no_descriptors; // the daemon's own, so that it could not ask for one
	struct message message; // to the signer and back
	int signing; // what became of it there
	struct buffer form; // that is sent
	size_t assertion; // where it has what is as good as a key
	struct exchange exchange;
	struct curl_slist *headers; // of it
	char *token; // or NULL
	int64_t number; // of the token, which no other has; of one that is to come
	int64_t refused_number; // of the last that was refused before anything was answered with it
	int64_t renew_usec, expires_usec;
	bool accepted; // something was answered with it
};
TAILQ_HEAD(bearer_list, bearer);

struct bearers {
	struct ground *ground;
	struct exchanges *exchanges;
	struct bearer_list all;
	int64_t n_tokens; // that any had: a target may outlive the endpoint that it had one of
	struct loop *signer; // NULL: there was none yet
};

void bearers_init(struct bearers *bearers, struct ground *ground, struct exchanges *exchanges);
/* The endpoints are gone. */
void bearers_done(struct bearers *bearers);

/* An endpoint's, which tells `asked` what becomes of each exchange. NULL: no memory. */
struct bearer *bearer_new(struct bearers *bearers, struct llm_target *target,
			  void (*asked)(struct bearer *bearer, const struct attempt *failed));
/* Whether there is a token, which is renewed in time. */
bool bearer_is_good(struct bearer *bearer);
/* Begins an exchange, unless one is under way; it may be over at once. */
void bearer_renew(struct bearer *bearer);
/* The token to a call's target, for its dialect to send; false: no memory. */
bool bearer_hand_over(const struct bearer *bearer, struct llm_target *target);
/* What an attempt with the token of that number came to: whether it says that this is good no more. */
bool bearer_expired(struct bearer *bearer, int64_t number, const struct attempt *attempt);
/* Nothing waits for it. NULL is fine. */
void bearer_forget(struct bearer *bearer);
