/*
 * What of an LLM config may hold a key: api_key, extra_headers, extra_body, the query of
 * llm_base_url. It lies in a file of the secrets folder and is never answered; the row, and what is
 * pinned of it, has a fingerprint of each by name instead, so that equal ones are known as equal.
 */
#pragma once

#include <stdbool.h>

#include "daemon/store/engine/tx.h"
#include "elluminate-types.h"

#define SECRET_OF_KEY "api_key"
#define SECRET_OF_URL "llm_base_url"
#define SECRET_OF_HEADERS "extra_headers."
#define SECRET_OF_BODY "extra_body."

/* *ret_public is the config without them, but with their fingerprints; *ret_secret the text of the
 * file, or NULL when there is nothing to keep. */
int config_seal(struct tx *tx, const struct ellu_llm_config *config,
		struct ellu_llm_config *ret_public, const char **ret_secret);
/* Puts what the file has back into a config from a row. -ENOENT, -ENODATA: the file is gone, is
 * empty; -EBADMSG: it is no such text. */
int config_unseal(struct tx *tx, const char *name, struct ellu_llm_config *config);

/* Of a name, or NULL. */
const char *config_fingerprint(const struct ellu_llm_config *config, const char *name);
/* Whether both have the same ones of all names that begin with `prefix`. */
bool config_fingerprints_equal(const struct ellu_llm_config *a, const struct ellu_llm_config *b,
			       const char *prefix);
/* Adds one, NULL is none; or takes one out. */
int config_add_fingerprint(struct tx *tx, struct ellu_llm_config *config, const char *name,
			   const char *value);
int config_drop_fingerprint(struct tx *tx, struct ellu_llm_config *config, const char *name);
