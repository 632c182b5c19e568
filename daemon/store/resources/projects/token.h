/* Tokens, by which users are known over HTTP. What is kept of the secret is a digest; it is random and
 * long, so that a plain one is enough. */
#pragma once

#include "daemon/store/resources/resource.h"
#include "daemon/store/tokens.h"

#define TOKENS_MAX 1000 // of one user

extern const struct resource resource_token; // for lists, and for names

/* ---- Operations of methods ---- */

int token_create(struct tx *tx, struct method_run *op);
int token_revoke(struct tx *tx, struct method_run *op);
