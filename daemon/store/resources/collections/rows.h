/* Rows of collections, in batches that become visible and invisible as a whole. */
#pragma once

#include "daemon/store/resources/collections/row_set.h"

/* Adds rows as a batch of their own that is visible from then on. Raises the state's numbers. */
int rows_append(struct tx *tx, struct collection_state *state, const struct row_set *set);

/* Makes all rows invisible. */
int rows_clear(struct tx *tx, struct collection_state *state);

/* The steps of adding rows, shared by what is visible at once and by uploads. */

int rows_insert(struct tx *tx, const struct collection_state *state, int64_t batch_id,
		const struct row_set *set);
/* Gives the collection its next sequence, with so many rows more. */
int rows_publish(struct tx *tx, struct collection_state *state, int64_t added,
		 const char *identity);
