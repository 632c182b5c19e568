/*
 * The responses that a rating run is about, in the order asked: those of its list, or those of an
 * experiment that were there when it was submitted and that its filter lets through. Also all of
 * an experiment, for what has to look at each.
 *
 * A place among them is a number that grows: behind the list's index, or the response's id.
 */
#pragma once

#include "daemon/store/engine/tx.h"
#include "daemon/store/runs.h"

/* Responses and ratings that one transaction of a long walk looks at: a few milliseconds. */
#define ASKED_STEP 2000

struct asked {
	int64_t experiment_id; // 0: those of the list
	const char *response_ids; // JSON array
	int64_t last_response_id;
	const int64_t *epoch; // the filter; NULL: any
	const int64_t *filter_measure_id;
	const int64_t *filter_judge_id;
	const int64_t *filter_value;
	int64_t last_rating_id;
};

/* `rating_run_id` 0: all that the experiment has. */
int asked_load(struct tx *tx, int64_t experiment_id, int64_t rating_run_id, struct asked *asked);

/* One page of a walk: looks at no more than so many responses. */
struct asked_walk {
	struct tx *tx;
	sqlite3_stmt *q;
	int64_t place; // behind which to go on
	size_t left;
	bool end; // nothing follows
};
#define ASKED_WALK __attribute__((cleanup(asked_walk_done))) struct asked_walk

int asked_walk_begin(struct tx *tx, const struct asked *asked, int64_t after, size_t n,
		     struct asked_walk *walk);
/* 1: the next response, in the columns below; 0: the page is at its end. */
int asked_walk_next(struct asked_walk *walk);
void asked_walk_done(struct asked_walk *walk);

enum asked_column {
	ASKED_PLACE,
	ASKED_RESPONSE,
	ASKED_LETS_THROUGH,
	ASKED_EPOCH,
	ASKED_FAILED,
	ASKED_ROUND,
	ASKED_DURATION,
	ASKED_INPUT_TOKENS,
	ASKED_OUTPUT_TOKENS,
	ASKED_COST,
	ASKED_ERROR,
};

/* store_cases_page() of a rating run. */
int asked_cases(struct tx *tx, struct cases_page *op);
