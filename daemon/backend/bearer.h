/*
 * Access tokens that an endpoint's key is exchanged for (dialect/service_account.h), and are sent in its
 * place. One is had for an endpoint, whichever calls wait for it; a call that does is in flight, as one
 * that connects is, and shares what becomes of the exchange. What is signed is signed on a thread of its
 * own. A token is renewed, beside the calls that use it, before it expires, and when one that was good is
 * refused. One that never was is dropped with the call that it was refused to.
 *
 * It is nowhere but in memory, and kept out of all that is said like the key itself.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct attempt;
struct backend;
struct bearer;
struct endpoint;
struct job;
struct loop;
TAILQ_HEAD(bearer_list, bearer);

struct bearers {
	struct bearer_list all;
	int64_t n_tokens; // that any had: a target may outlive the endpoint that it had one of
	struct loop *signer; // NULL: there was none yet
};

void bearers_init(struct bearers *bearers);
/* The endpoints are gone. */
void bearers_done(struct bearers *bearers);

/* Whether the job, whose attempt begins, waits for a token, or has ended for lack of one. Where it goes
 * with a key alone, or its target has the token now, it does not. */
bool bearer_holds(struct job *job);
/* One that waits is taken out. */
void bearer_leave(struct job *job);
/* What the job's attempt came to: whether it says that the token is good no more. */
bool bearer_expired(struct job *job, const struct attempt *attempt);
/* Nothing waits for it. NULL is fine. */
void bearer_forget(struct bearer *bearer);
