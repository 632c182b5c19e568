/* Tokens as the store hands them out: what a caller over HTTP is known by. */
#pragma once

#include "daemon/base/sha256.h"
#include "daemon/store/engine/method.h"

#define TOKEN_KEY_SIZE 17 // of its name, as text with the NUL

/* A token as it is known by: method_run::ret_beside of CreateToken; of RevokeToken its id alone. */
struct stored_token {
	int64_t id;
	char key[TOKEN_KEY_SIZE];
	char digest[SHA256_TEXT_SIZE];
	int64_t uid;
	int64_t project_id; // 0: all of the user's
	const char *scope;
	int64_t expires_at_usec;
};
/* Every one that is not over. */
struct tokens_load {
	struct store_request request;
	const struct stored_token *const *ret_tokens;
	size_t ret_n;
};
void store_tokens_load(struct store *store, struct tokens_load *op);
/* Of a token's text, as text. */
void token_digest(const char *text, char ret_digest[static SHA256_TEXT_SIZE]);
