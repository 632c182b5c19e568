/*
 * Makes a collection of the daemon equal to the rows that the user keeps. Both are read side by
 * side, in constant memory; only when they differ, the rows are uploaded anew. They take the place
 * of what was there all together, so that an end in the middle leaves the old ones.
 */
#pragma once

#include "client/cli/cli.h"
#include "client/cli/rows.h"

/* 0 with the version that has these rows, or the exit status; it has said what was wrong, or what it
 * changed. */
int collection_sync(struct cli *cli, const struct ellu_collection *collection, struct rows *rows,
		    int64_t *ret_version);

/* The same without changing anything: whether the collection is there and has these rows, and how
 * many they are. Leaves the rows at their end. */
int collection_compare(struct cli *cli, const struct ellu_collection *collection, struct rows *rows,
		       bool *ret_equal, int64_t *ret_n_rows);
