/*
 * The tokens that callers show who have no socket of their own to be known by, all of them in memory:
 * the store keeps digests and says when something has changed. Whoever holds a token is told when it
 * is taken back. A token is "ellu_", a name that is no secret, "_" and the secret; wrong ones are
 * counted for the name and in all, so that guessing does not get far and keeps nobody else out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/api/principal.h"
#include "daemon/base/share.h"
#include "daemon/base/table.h"
#include "daemon/store/tokens.h"

struct call;
struct service;
struct tokens;

/* So many at once, and so many more a second. */
struct allowance_bucket {
	double level;
	int64_t at_usec; // monotonic; 0: it is full
};

bool bucket_take(struct allowance_bucket *bucket, double size, double per_second, int64_t now_usec);

struct token {
	struct table_node node; // tokens::table
	struct token *next; // tokens::first
	int64_t id;
	char key[TOKEN_KEY_SIZE];
	char digest[SHA256_TEXT_SIZE];
	int64_t uid;
	int64_t project_id; // 0: all of the user's
	unsigned scopes; // enum principal_scope
	int64_t expires_at_usec; // real time
	struct allowance_bucket wrong;
	struct allowance_bucket calls;
	struct token_holder *holders;
	struct share lists; // where a front keeps how far those who show it have paged
};

/* Lies in what a token was shown for. */
struct token_holder {
	struct token *token; // NULL: none, or it was taken back
	struct token_holder *next;
	struct token_holder **link;
	void (*taken_back)(struct token_holder *holder);
};

void token_hold(struct token_holder *holder, struct token *token);
void token_let_go(struct token_holder *holder);

/* Reads those that there are; then `ready`, also when that failed. */
int tokens_new(struct service *service, void (*ready)(void *userdata), void *userdata,
	       struct tokens **ret_tokens);
struct tokens *tokens_free(struct tokens *tokens);

/* The token that the text is. 0; ELLU_E_UNAUTHENTICATED, or ELLU_E_TOO_MANY_REQUESTS, with the fault. */
int tokens_check(struct tokens *tokens, const char *text, struct token **ret_token, struct fault *fault);
/* Whether its hour has come. */
bool token_is_over(const struct token *token);
