/*
 * The responses of an experiment, one after the other: in the order of its rows and, for each, of
 * epochs; or in the order in which they came. A walk may be as long as the experiment, so it goes
 * in steps that look at so many of them, whether the filter lets them through or not.
 */
#pragma once

#include "daemon/store/engine/page.h"
#include "daemon/store/runs/experiment.h"

struct response_filter {
	const int64_t *epoch; // NULL: any, here and below
	const int64_t *failed;
	const int64_t *criterion_id;
	const int64_t *value;
};

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

/* Where a response is, in the row of that number; InvalidParameter for a cursor that says so of
 * none. */
int response_place_read(struct tx *tx, const struct run_row *run, int64_t response_id,
			int64_t row_number, struct response_place *ret_place);

/* The ratings of one response by the criteria of its run, in their order, and that judge;
 * struct ellu_rating. *ret_lean: they are too long for a message, and are without what the model
 * said. */
int ratings_of_response(struct tx *tx, int64_t run_id, int64_t response_id,
			int64_t judge_id, struct tx_list *ratings, bool *ret_lean);

/* ---- Operations of methods ---- */

int responses_list(struct tx *tx, struct method_run *op);
int ratings_list(struct tx *tx, struct method_run *op);
