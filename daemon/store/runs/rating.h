/* Ratings as records. */
#pragma once

#include "daemon/store/engine/page.h"
#include "daemon/store/engine/tx.h"
#include "elluminate-types.h"

#define RATING_COLUMNS                                                                          \
	"SELECT g.id, g.response_id, m.criterion_id, m.text, g.value, g.reasoning,"       \
	" g.raw_text, g.error, g.attempts, j.name, g.duration_usec, g.input_tokens,"               \
	" g.output_tokens, g.cost_nanodollars, g.created_at FROM"
#define RATING_JOINS                                                                            \
	" CROSS JOIN measures m ON m.id = g.measure_id CROSS JOIN judges j ON j.id = g.judge_id"
#define RATING_SELECT RATING_COLUMNS " ratings g" RATING_JOINS

/* Reads a row of it; `lean`: without what the model said. */
int rating_read(struct tx *tx, sqlite3_stmt *q, bool lean, struct ellu_rating **ret_rating);
/* Puts it into the page; 0: the page is full. What no message could hold is left out. */
int rating_list(struct tx *tx, struct page *page, struct ellu_rating *rating);

/* The ratings of one response by the criteria of its run, in their order, and that judge;
 * struct ellu_rating. *ret_lean: they are too long for a message, and are without what the model
 * said. */
int ratings_of_response(struct tx *tx, int64_t run_id, int64_t response_id,
			int64_t judge_id, struct tx_list *ratings, bool *ret_lean);

struct ratings_list;
/* ListRatings of a rating task, in the order asked. */
int rating_task_list(struct tx *tx, struct ratings_list *op);
