/* Ratings as records. */
#pragma once

#include "daemon/store/page.h"
#include "daemon/store/tx.h"
#include "elluminate-types.h"

#define RATING_SELECT                                                                           \
	"SELECT g.id, g.response_id, m.criterion_id, m.text, g.value, g.reasoning,"                \
	" g.raw_text, g.error, g.attempts, j.name, g.duration_usec, g.input_tokens,"               \
	" g.output_tokens, g.cost_nanodollars, g.created_at FROM ratings g"                        \
	" CROSS JOIN measures m ON m.id = g.measure_id CROSS JOIN judges j ON j.id = g.judge_id"

/* Reads a row of it. */
int rating_read(struct tx *tx, sqlite3_stmt *q, struct ellu_rating **ret_rating);
/* What that row takes in a page, in bytes. */
size_t rating_bytes(sqlite3_stmt *q);

/* The ratings of one response by its experiment's criteria and that judge, in the order of their
 * ids; struct ellu_rating. */
int ratings_of_response(struct tx *tx, int64_t experiment_id, int64_t response_id,
			int64_t judge_id, struct tx_list *ratings);

struct ratings_list;
/* A page of a rating task's, in the order asked. Some of its responses may have none yet, so that
 * a page may be empty and not the last. */
int rating_task_page(struct tx *tx, struct ratings_list *op, struct page *page,
		     struct ellu_list_ratings_reply *reply);
