/* The rows that a collection shows, batch by batch. */
#pragma once

#include "daemon/store/resources/collections/collection_state.h"

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
