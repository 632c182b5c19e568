/*
 * What of an LLM config may hold a key: api_key, extra_headers, extra_body, the query of
 * llm_base_url. It lies in a file of the secrets folder and is never answered; the row, and what is
 * pinned of it, has a fingerprint of each by name instead, so that equal ones are known as equal.
 */
#pragma once

#include <stdbool.h>

#include "daemon/store/engine/tx.h"
#include "elluminate-types.h"

enum config_secret {
	CONFIG_SECRET_KEY,
	CONFIG_SECRET_HEADERS,
	CONFIG_SECRET_BODY,
	CONFIG_SECRET_URL, // its query
	_CONFIG_SECRET_MAX,
};
const char *config_secret_field(enum config_secret kind); // of the record

/* *ret_public is the config without them, but with their fingerprints; *ret_secret the text of the
 * file, or NULL when there is nothing to keep. */
int config_seal(struct tx *tx, const struct ellu_llm_config *config,
		struct ellu_llm_config *ret_public, const char **ret_secret);
/* Puts what the file has back into a config from a row. -ENOENT, -ENODATA: the file is gone, is
 * empty; -EBADMSG: it is no such text. */
int config_unseal(struct tx *tx, const char *name, struct ellu_llm_config *config);

/* Whether there is one, by its fingerprints; whether both have the same. */
bool config_has_secret(const struct ellu_llm_config *config, enum config_secret kind);
bool config_secrets_equal(const struct ellu_llm_config *a, const struct ellu_llm_config *b,
			  enum config_secret kind);
/* Adds the fingerprints that another config has of one; or takes them out. */
int config_keep_fingerprints(struct tx *tx, struct ellu_llm_config *config,
			     const struct ellu_llm_config *from, enum config_secret kind);
int config_drop_fingerprints(struct tx *tx, struct ellu_llm_config *config,
			     enum config_secret kind);
/* What was unsealed. */
void config_copy_secret(struct ellu_llm_config *config, const struct ellu_llm_config *from,
			enum config_secret kind);
