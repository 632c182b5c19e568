/* LLM configs: the record as text, the key in the secrets folder. */
#pragma once

#include "daemon/store/resources/notes.h"
#include "daemon/store/resources/resource.h"

extern const struct resource resource_llm_config;

/* A new one, already validated. */
int llm_config_insert(struct tx *tx, const struct place *place,
		      const struct ellu_llm_config *config, int64_t *ret_id);

/* What a request's `part` names, or holds: what exists and is equal, else what exists brought to it
 * (with `may_update`) or Conflict, else a new one. Where it has none (NULL) the project's, if there is
 * one. */
int llm_config_take(struct tx *tx, const struct scope *scope, const struct place *place,
		    const struct ellu_llm_config_in *in, const char *part, bool may_update,
		    struct notes *notes, int64_t *ret_id);

/* Without its key. *ret_secret (may be NULL) is the name of its file, or NULL. NotFound. */
int llm_config_load(struct tx *tx, int64_t id, struct ellu_llm_config **ret_config,
		    const char **ret_secret);

/* Fills `fault` when it was deleted, and returns its code. */
int llm_config_check_there(struct tx *tx, const struct ellu_llm_config *config, const char *field,
			   struct fault *fault);
/* With its key, found where the config says. `field` is for the fault. */
int llm_config_load_key(struct tx *tx, int64_t id, const char *field,
			struct ellu_llm_config **ret_config);

/* Fills `rejected` when it is not known what the config costs: a limit that nothing can be held
 * against would be none. */
void llm_config_check_prices(struct tx *tx, const struct ellu_llm_config *config,
			     struct fault *rejected);
/* Where the config says none, those that the daemon knows. */
void llm_config_fill_prices(struct tx *tx, struct ellu_llm_config *config);

/* How answers are fetched, and what they cost: nothing that decides what they are. */
void llm_config_take_way(struct ellu_llm_config *config, const struct ellu_llm_config *from);
void llm_config_take_prices(struct ellu_llm_config *config, const struct ellu_llm_config *from);
/* All that decides the answers. */
int llm_config_identity(struct tx *tx, const struct ellu_llm_config *config,
			char ret_identity[static 65]);
