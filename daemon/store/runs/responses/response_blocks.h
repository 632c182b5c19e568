/*
 * What the responses of each block (see response_order.h) are between, so that who looks for the few that a
 * filter lets through passes over the blocks that have none. It is made with the block. What changes a
 * response widens it, in the same transaction; nothing makes it narrower: it may tell of what is no more, and
 * never hides what is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct db;
struct response_filter;
struct run_row;
struct tx;

#define RESPONSE_BLOCK 1000 // responses: a few milliseconds of the writer

/* Of the responses behind `after`, up to `last`, which becomes its name. */
int response_block_make(struct db *db, int64_t run_id, int64_t after, int64_t last);
/* A response came to be something else, or a person said something of it. */
int response_block_widen(struct db *db, int64_t response_id);
/* The last of the run's; 0: it has none. */
int response_block_last(struct db *db, int64_t run_id, int64_t *ret_block);
int response_blocks_delete(struct db *db, int64_t run_id, int64_t last); // up to that response

/* The next block behind a place that may have what the filter lets through. 0: none may. */
int response_block_find(struct tx *tx, int64_t run_id, const struct response_filter *filter,
			int64_t behind, int64_t *ret_after, int64_t *ret_block);
/* Those behind `after`, up to `last`: none that the filter lets through is before them. */
struct response_span {
	int64_t after;
	int64_t last; // INT64_MAX: nothing comes behind it
};
int response_span_find(struct tx *tx, int64_t run_id, const struct response_filter *filter,
		       int64_t behind, struct response_span *ret_span);
/* 1: to look at all that may be let through takes less than to go by rows. */
int response_spans_are_few(struct tx *tx, const struct run_row *run, const struct response_filter *filter);
