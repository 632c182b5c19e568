/* Rows of collections, in batches that become visible and invisible as a whole. */
#pragma once

#include "daemon/store/resources/collections/row_set.h"

/* Adds rows as a batch of their own that is visible from then on. Raises the state's numbers. */
int rows_append(struct tx *tx, struct collection_state *state, const struct row_set *set);

/* Makes all rows invisible. */
int rows_clear(struct tx *tx, struct collection_state *state);

/* The first batch at or above *sequence, and not above the last: 1, with its sequence and id. */
int rows_next_batch(struct tx *tx, int64_t collection_id, int64_t last_sequence,
		    int64_t *sequence, int64_t *ret_batch_id);

/* Whether two rows have the same values. */
int rows_alike(struct tx *tx, int64_t row_id, int64_t other_row_id);

/* The visible rows behind a place, in order, batch by batch. */
struct row_walk {
	struct tx *tx;
	const struct collection_state *state;
	int64_t sequence;
	int64_t row_id;
	/* (id, input_values, created_at) of a row; 1: enough. */
	int (*found)(struct row_walk *walk, sqlite3_stmt *q);
	void *userdata;
};
int row_walk(struct row_walk *walk);

/* The steps of adding rows, shared by what is visible at once and by uploads. */

int rows_insert(struct tx *tx, const struct collection_state *state, int64_t batch_id,
		const struct row_set *set);
/* Gives the collection its next sequence, with so many rows more. */
int rows_publish(struct tx *tx, struct collection_state *state, int64_t added,
		 const char *identity);
