/*
 * Google's service accounts: a key file in the place of a key. What it says is signed is exchanged, at
 * an address that it names, for an access token that lasts an hour or less. Here is what is said and how
 * it is read; who asks, and when, is backend/connection/bearer.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/backend/wire/buffer.h"
#include "daemon/backend/wire/json.h"
#include "proto/content/llm_config_rules.h"

#define SERVICE_ACCOUNT_REPLY_MAX (64u * 1024) // of what the address answers
#define SERVICE_ACCOUNT_TOKEN_MAX 16384

/* Writes the form that a token is asked for with; its end, from ret_assertion on, is as good as a key
 * until it expires. -EINVAL: what should sign is no key; -ENOMEM. Any thread; takes milliseconds. */
int service_account_sign(const struct service_account *account, int64_t wall_usec,
			 struct buffer *form, size_t *ret_assertion);

/* What came back, a text that it may change: the token, which lies in it, and how long it lasts.
 * -EBADMSG: there is none that can be sent. */
int service_account_read(struct json_reader *reader, char *text, size_t size, const char **ret_token,
			 int64_t *ret_usec);
/* The same of a refusal: why, in words that lie there; or NULL. */
const char *service_account_refusal(struct json_reader *reader, char *text, size_t size);
