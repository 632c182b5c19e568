/* Through what a run has: its responses, and the pairs of row and epoch that it makes them of. */
#pragma once

#include "daemon/store/runs/run.h"

/* One page of a walk: looks at no more than so many responses. A place among them is a number that
 * grows: behind the list's index, or the response's id. */
struct run_walk {
	struct tx *tx;
	sqlite3_stmt *q;
	int64_t place; // behind which to go on
	size_t left;
	bool end; // nothing follows
};
#define RUN_WALK __attribute__((cleanup(run_walk_done))) struct run_walk

int run_walk_begin(struct tx *tx, const struct run_row *run, int64_t after, size_t n,
		   struct run_walk *walk);
/* 1: the next response, in the columns below; 0: the page is at its end. */
int run_walk_next(struct run_walk *walk);
/* The response alone, in these columns. */
int run_walk_one(struct tx *tx, int64_t response_id, sqlite3_stmt **ret_q);
void run_walk_done(struct run_walk *walk);

enum walk_column {
	WALK_PLACE,
	WALK_RESPONSE,
	WALK_LETS_THROUGH,
	WALK_EPOCH,
	WALK_FAILED,
	WALK_ROUND,
	WALK_DURATION,
	WALK_INPUT_TOKENS,
	WALK_OUTPUT_TOKENS,
	WALK_CACHED_TOKENS,
	WALK_COST,
	WALK_ERROR,
	WALK_FALLBACK,
	WALK_CACHED,
};

/* The pairs of row and epoch that a run makes responses of, behind a place, one epoch after the
 * other: by batch sequence and row id. */
struct pair_walk {
	struct tx *tx;
	const struct run_row *run;
	struct case_cursor at; // zeroed: before the first
	size_t left; // to look at; whoever is called may take more of it
	/* ?1 batch, ?2 behind which row, ?3 run, ?4 epoch; the rows in order, their id first, of those
	 * that ROW_IS_PINNED("?5"). */
	const char *sql;
	int (*found)(struct pair_walk *walk, sqlite3_stmt *q);
	void *userdata;
};
int pair_walk(struct pair_walk *walk); // 1: nothing follows
/* The rows alone, whatever is recorded of them. */
#define RUN_ROWS(columns)                                                                       \
	"SELECT " columns " FROM template_variables v WHERE v.batch_id = ?1 AND v.id > ?2 AND "  \
	ROW_IS_PINNED("?5") " ORDER BY v.id"
