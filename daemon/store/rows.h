/* SPDX-License-Identifier: MIT */
/* Rows of collections, in batches that become visible and invisible as a whole. */
#pragma once

#include "daemon/store/collection.h"

/* Rows as a request has them: objects, not too large, with names of columns as keys. */
int rows_check(struct tx *tx, const char *const *rows, size_t n_rows, const char *path);

/* Adds rows as a batch of their own that is visible from then on. Raises the state's numbers. */
int rows_append(struct tx *tx, struct collection_state *state, const char *const *rows,
		size_t n_rows);

/* Makes all rows invisible. */
int rows_clear(struct tx *tx, struct collection_state *state);

/* 1 when the visible rows are these, by value and in this order. */
int rows_equal(struct tx *tx, const struct collection_state *state, const char *const *rows,
	       size_t n_rows);

/* The first batch at or above *sequence, and not above the last: 1, with its sequence and id. */
int rows_next_batch(struct tx *tx, int64_t collection_id, int64_t last_sequence,
		    int64_t *sequence, int64_t *ret_batch_id);
