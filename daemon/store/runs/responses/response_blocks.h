/*
 * What the responses of each block (see response_order.h) are between, so that who looks for the few that a
 * filter lets through passes over the blocks that have none. It is made with the block. What changes a
 * response or a verdict widens it, in the same transaction; nothing makes it narrower: it may tell of what is
 * no more, and never hides what is. Which verdicts a block has is found behind its making, criterion by
 * criterion; where it is not known yet, it may have any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct db;
struct response_filter;
struct run_row;
struct tx;

#define RESPONSE_BLOCK 1000 // responses: a few milliseconds of the writer

/* That of `r`; NULL: it is in none. */
#define BLOCK_OF_RESPONSE                                                                       \
	"(SELECT min(b.block) FROM response_blocks b WHERE b.run_id = r.run_id AND b.block >= r.id)"

/* A verdict of one of its run's responses, as it comes to stand. */
struct response_verdict {
	int64_t run_id; // that made the response
	int64_t response_id;
	int64_t measure_id;
	int64_t judge_id;
	double value; // -1: it failed
};

/* Of the responses behind `after`, up to `last`, which becomes its name. */
int response_block_make(struct db *db, int64_t run_id, int64_t after, int64_t last);
/* A response came to be something else, or a person said something of it. */
int response_block_widen(struct db *db, int64_t response_id);
int response_block_widen_verdict(struct db *db, const struct response_verdict *verdict);
/* Looks for verdicts that blocks of the run have. 1: there may be more to do; 0: there is nothing. */
int response_block_verdicts(struct db *db, int64_t run_id);
/* The last of the run's; 0: it has none. */
int response_block_last(struct db *db, int64_t run_id, int64_t *ret_block);
/* Those up to that response, and at most so many of their verdicts. 1: there are more. */
int response_blocks_delete(struct db *db, int64_t run_id, int64_t last, int max);

/* The next block behind a place that may have what the filter lets through. 0: none may. */
int response_block_find(struct tx *tx, const struct run_row *run, const struct response_filter *filter,
			int64_t behind, int64_t *ret_after, int64_t *ret_block);
/* Those behind `after`, up to `last`: none that the filter lets through is before them. */
struct response_span {
	int64_t after;
	int64_t last; // INT64_MAX: nothing comes behind it
};
int response_span_find(struct tx *tx, const struct run_row *run, const struct response_filter *filter,
		       int64_t behind, struct response_span *ret_span);
/* 1: to look at all that may be let through takes less than to go by rows. */
int response_spans_are_few(struct tx *tx, const struct run_row *run, const struct response_filter *filter);
