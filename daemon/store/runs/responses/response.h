/*
 * The responses of an experiment, one after the other: in the order of its rows and, for each, of
 * epochs; or in the order in which they came. A walk may be as long as the experiment, so it goes
 * in steps that look at so many of them, whether the filter lets them through or not.
 */
#pragma once

#include "daemon/store/engine/page.h"
#include "daemon/store/runs/experiment.h"
#include "daemon/store/runs/responses/response_filter.h"

/* Behind which response, or row without one, a walk is; zeroed: at its beginning. */
struct response_place {
	int64_t sequence; // of the row's batch
	int64_t row_id;
	int64_t row_number; // of the rows passed, this one included
	int64_t epoch;
	int64_t id; // of the last response that was let through
};

struct response_walk {
	struct tx *tx;
	const struct run_row *run;
	const struct response_filter *filter; // NULL: all
	bool by_arrival;
	struct response_place at;
	int (*found)(struct response_walk *walk, int64_t response_id); // 1: stop before it
	void *userdata;
};

enum response_walk_end {
	RESPONSE_WALK_END, // nothing follows
	RESPONSE_WALK_STOPPED, // by found()
	RESPONSE_WALK_MORE, // it has looked at enough for once
};
int response_walk_step(struct response_walk *walk);

enum response_order {
	ORDER_ROW, // of a single one: by epoch
	ORDER_ARRIVAL,
	ORDER_DURATION, // the longest first, and the most tokens
	ORDER_TOKENS,
};

/* By rows the rank is the sequence of their batch, and what follows decides; else they are zero. */
struct response_rank {
	int64_t rank;
	int64_t row_id;
	int64_t epoch;
	int64_t id;
};

/* The next of a block. */
struct response_head {
	struct response_rank next;
	int64_t block;
};

/* The first responses by something that no index has, in steps: of each block that is in that order the
 * first, and of those that are in none all are looked at, and so many kept. By rows, those of the blocks
 * that may have some which the filter lets through. */
struct response_ranking {
	enum response_order order;
	struct response_rank after; // only what is behind it; an id of 0: all
	struct response_rank *first; // room for `capacity`
	size_t capacity;
	size_t n;
	bool by_rows; // of the whole run, unlike ORDER_ROW of a single one
	bool counts; // how many the filter lets through, before `after` too: all are looked at
	bool passed_blocks, found_heads;
	struct response_head *heads; // a heap: none comes before the first
	size_t n_heads, heads_room;
	int64_t n_found; // where it counts
	int64_t looked_at; // this one, and all before
};
/* 1: it has looked at enough for once. */
int response_ranking_step(struct tx *tx, const struct run_row *run,
			  const struct response_filter *filter, struct response_ranking *ranking);

/* Where a response is, in the row of that number; InvalidParameter for a cursor that says so of
 * none. */
int response_place_read(struct tx *tx, const struct run_row *run, int64_t response_id,
			int64_t row_number, struct response_place *ret_place);

/* The ratings of one response by the criteria of its run, in their order, and that judge;
 * struct ellu_rating. *ret_lean: they are too long for a message, and are without what the model
 * said. */
int ratings_of_response(struct tx *tx, int64_t run_id, int64_t response_id,
			int64_t judge_id, struct tx_list *ratings, bool *ret_lean);

/* One rating as it stands. NotFound. */
int rating_load(struct tx *tx, int64_t id, struct ellu_rating **ret_rating);

/* The experiment whose response it is, if the caller may see both. */
int response_experiment(struct tx *tx, const struct scope *scope, int64_t response_id,
			struct experiment_row *ret_experiment);

/* ---- Operations of methods ---- */

int responses_add(struct tx *tx, struct method_run *op); // answers that were made elsewhere
int responses_list(struct tx *tx, struct method_run *op);
int response_get(struct tx *tx, struct method_run *op);
int ratings_list(struct tx *tx, struct method_run *op);
int response_annotate(struct tx *tx, struct method_run *op);
int rating_edit(struct tx *tx, struct method_run *op);
