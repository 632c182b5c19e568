/* What an experiment is pinned to, as one value: equal for what would bring the same. */
#pragma once

#include "daemon/store/engine/tx.h"
#include "daemon/store/resources/identity.h"
#include "elluminate-types.h"

struct experiment_parts {
	int64_t template_id; // 0: none, here and below
	int64_t collection_id;
	const char *rows_identity;
	const char *column_defaults; // or NULL
	int64_t row_limit;
	const struct tx_list *measures; // struct run_measure
	int64_t judge_id;
	int64_t config_id; // another one may lead to another account
	const struct ellu_llm_config *config; // or NULL
	const char *rating_mode;
	const char *rating_version;
	int64_t n_epochs;
	const char *response_column; // or NULL
	const struct ellu_generation_params *generation_params; // or NULL
};
/* Of what, with a row and an epoch, decides an answer. */
int experiment_answer_identity(struct tx *tx, const struct experiment_parts *parts,
			       char ret_identity[static IDENTITY_SIZE]);
int experiment_parts_identity(struct tx *tx, const struct experiment_parts *parts,
			      char ret_identity[static IDENTITY_SIZE]);

/* Of what is stored. */
int experiment_identify(struct tx *tx, int64_t id, char ret_identity[static IDENTITY_SIZE]);
