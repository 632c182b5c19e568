/*
 * The rules of an LLM config that go beyond one field, for all who look at one: the store takes
 * what keeps them, so that the backend can send it.
 */
#pragma once

#include <stdbool.h>

#include "elluminate-types.h"
#include "proto/arena.h"
#include "proto/fault/fault.h"
#include "proto/record/record.h"

/* All of them. `has_api_key` says that what is left out is had all the same. `path` is the record's, for the fault's field. `references_forbidden`: the caller
 * may not have the daemon look up keys and files. */
int llm_config_check(const struct ellu_llm_config *config, const char *path,
		     bool references_forbidden, struct arena *arena, struct fault *fault);

/* Those of what is sent, once the key has been found: headers, extra_body, the key. */
int llm_config_check_request(const struct ellu_llm_config *config, const char *path,
			     struct fault *fault);

/* The region that requests of Bedrock's are signed for: the one that `custom` says, else the one in
 * the URL; NULL: neither does. */
int llm_config_region(const struct ellu_llm_config *config, const char *path, struct arena *arena,
		      const char **ret_region, struct fault *fault);

/* A service account's key file, as the parts of it that are of use. */
struct service_account {
	const char *email; // who it is
	const char *key_id; // or NULL
	const char *private_key; // PEM
	const char *token_uri; // where access tokens are had
};

/* Whether that is what the config's key is: one that the provider exchanges for access tokens. */
bool llm_config_has_account(const struct ellu_llm_config *config);
/* What it then says. A fault names what is missing, never what is there. */
int llm_config_account(const struct ellu_llm_config *config, const char *path, struct arena *arena,
		       struct service_account *ret_account, struct fault *fault);

#define LLM_CONFIG_PARAMS_MAX 16

/* Of the parameters that a record sets (the config itself, or those of a run) the names of such as the
 * config's provider has not, so that they are not sent; and how many. */
size_t llm_config_unsent(const struct ellu_llm_config *config, const struct record_type *type,
			 const void *record, const char *names[LLM_CONFIG_PARAMS_MAX]);
