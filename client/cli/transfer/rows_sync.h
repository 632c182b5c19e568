/*
 * A collection is made equal to the rows that the user keeps. Both are read side by side, in constant
 * memory; only when they differ, the rows are uploaded anew. They take the place of what was there all
 * together, so that an end in the middle leaves the old ones.
 */
#pragma once

#include "client/cli/cli.h"
#include "client/cli/files/rows.h"

/* 0 with the version that has these rows, or the exit status; it has said what was wrong, or what it
 * changed. */
int rows_sync(struct cli *cli, const struct ellu_collection *collection, struct rows *rows,
		    int64_t *ret_version);

/* An upload that begins where the rows are; `ref` is the collection's. */
struct rows_upload {
	bool replace;
	bool deduplicate;
	int64_t added;
	int64_t dropped;
	int64_t variables_count; // of the collection, then
	int64_t version;
};
/* 0, or the exit status after saying what was wrong, and in which line. */
int rows_upload(struct cli *cli, const struct ellu_ref *ref, struct rows *rows,
		struct rows_upload *upload);

/* The same without changing anything: whether the collection is there and has these rows, and how
 * many they are. Leaves the rows at their end. */
int rows_compare(struct cli *cli, const struct ellu_collection *collection, struct rows *rows,
		       bool *ret_equal, int64_t *ret_n_rows);
