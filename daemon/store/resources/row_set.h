/*
 * The rows of a request, read once: checked, with the keys they have, and compared with what a
 * collection shows. All of this may take as long as the rows are many, so it is done by a reader
 * before the writer gets the request; there, what is known already is only looked up.
 */
#pragma once

#include "daemon/store/resources/collection.h"
#include "daemon/store/resources/identity.h"

struct row_set {
	const char *const *rows; // JSON objects
	size_t n_rows;
	const char *const *keys; // all that rows have, in the order of their first appearance
	size_t n_keys;
	int64_t *hashes; // by row
	char identity[IDENTITY_SIZE]; // of all rows, in their order
	struct row_comparison {
		int64_t collection_id; // 0: none yet
		int64_t first_sequence;
		int64_t last_sequence;
		bool equal;
	} compared;
};

/* Rows that are no objects, too large, or whose keys are no names of columns or too many are
 * errors of `path`. The texts are borrowed. */
int row_set_read(struct tx *tx, const char *const *rows, size_t n_rows, const char *path,
		 struct row_set *ret_set);

/* 1 when the visible rows are these, by value and in this order. Batches never change, so that
 * the answer holds as long as the collection shows the same ones. */
int row_set_equal(struct tx *tx, struct row_set *set, const struct collection_state *state);
