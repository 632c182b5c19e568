/*
 * POST /token, where a service account's assertion is exchanged for an access token, as Google's is: the
 * signature is verified by the public key that the setting `account_key` names the file of.
 */
#pragma once

#include <stdbool.h>

#include "tests/sim/bytes.h"

struct http_conn;
struct http_request;
struct simulator;

void token_exchange(struct simulator *simulator, struct http_conn *conn, const struct http_request *request);

/* Whether it is one that was given, and not called back since. */
bool token_is_good(const struct simulator *simulator, struct span token);
