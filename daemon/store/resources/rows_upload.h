/* The steps of adding rows, shared by what is visible at once and by uploads. */
#pragma once

#include "daemon/store/resources/rows.h"

/* The keys of rows behind those of `known`, which may be NULL, as a JSON array. */
int rows_keys(struct tx *tx, const char *known, const struct row_set *set, const char **ret_keys);
int rows_insert(struct tx *tx, const struct collection_state *state, int64_t batch_id,
		const struct row_set *set);
/* Gives the collection its next sequence, with so many rows more. */
int rows_publish(struct tx *tx, struct collection_state *state, int64_t added,
		 const char *identity);

int rows_add(struct tx *tx, struct method_run *op); // AddTemplateVariables
