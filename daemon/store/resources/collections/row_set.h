/*
 * The rows of a request, read once: checked, with the keys they have, and compared with what a
 * collection shows. All of this may take as long as the rows are many, so it is done by a reader
 * before the writer gets the request; there, what is known already is only looked up.
 */
#pragma once

#include "daemon/store/resources/collections/collection_state.h"
#include "daemon/store/resources/identity.h"

struct row_set {
	const char *const *rows; // JSON objects
	size_t n_rows;
	size_t n_read; // before any was dropped
	bool is_own; // the array of them
	const char *keys; // JSON object: all that rows have, and the type that their values have
	int64_t *hashes; // by row
	char identity[IDENTITY_SIZE]; // of all rows, in their order
	struct row_comparison {
		int64_t collection_id; // 0: none yet
		int64_t first_sequence;
		int64_t last_sequence;
		bool equal;
	} compared;
};

/* What rows say by themselves, wherever they go: worked out by whichever thread has them first. */
struct row_digest {
	const char *keys; // as row_set::keys, where no column has a type
	int64_t *hashes;
	char identity[IDENTITY_SIZE];
};

/* Of a request that adds rows. NULL: they are not as they should be, which row_set_read() says, or
 * there is no memory. */
const void *rows_digest(const void *request, struct arena *arena);

/* Rows that are no objects, too large, or whose keys are no names of columns or too many are errors
 * of `path`, and so are values that do not fit the columns' `types` (collection_types()). The texts
 * are borrowed. `digest` is of these rows, or NULL. */
int row_set_read(struct tx *tx, const char *types, const char *const *rows, size_t n_rows,
		 const char *path, const struct row_digest *digest, struct row_set *ret_set);

/* The keys of both; one without a certain type has `json` where any of the values is no text. */
int keys_merge(struct tx *tx, const char *known, const char *more, const char **ret_keys);

/* Drops what is equal to a row before it: in the set, and, from row *at on, in the collection's
 * batches above a sequence or in one that is not committed yet (0: none). Looks at some rows;
 * 1: there are more. Returns with *at behind the last one looked at. */
int row_set_deduplicate(struct tx *tx, struct row_set *set, const struct collection_state *state,
			int64_t after_sequence, int64_t batch_id, size_t *at);

/* 1 when the visible rows are these, by value and in this order. Batches never change, so that
 * the answer holds as long as the collection shows the same ones. */
int row_set_equal(struct tx *tx, struct row_set *set, const struct collection_state *state);
